// Settings: what the owner may change. Each change says what it will do, and is undone by one click.
import { get } from "./api.js";
import { h, replace, settle, card, table, brief, col } from "./dom.js";
import * as f from "./format.js";

export const title = "Settings";

export async function open(context) {
  const reserve = h("div");
  const trading = h("div");
  const access = h("div");
  const log = h("div");

  async function renew() {
    const held = await get("settings");
    context.settings(held);
    const may = held.role === "owner" || held.role === "operator";
    drawReserve(reserve, held, may, context);
    drawTrading(trading, held, may, context);
    drawAccess(access, held, context);
    if (may) drawLog(log, await get("actions"));
    else replace(log, h("p", { class: "quiet" }, "Log in with an owner's token to see who changed what."));
  }
  await renew();
  const element = h("div", { class: "grid" },
    card("Reserve", "w6", "kept for you, always", reserve), card("Trading", "w6", null, trading),
    card("Who you are here", "w6", null, access), card("What was changed", "w6", "newest first", log));
  return { element, renew };
}

function drawReserve(element, held, may, context) {
  const names = Object.keys(held.reserves);
  if (!names.length) { replace(element, h("p", { class: "quiet" }, held.mode === null ? "The daemon does not answer." : "This node has no battery.")); return; }
  replace(element, h("p", null, "No trade and no grid service discharges the battery below its reserve. It is there in an outage."),
    names.map((name) => {
      const percent = Math.round(held.reserves[name] * 100);
      const input = h("input", { type: "range", id: `reserve-${name}`, min: 0, max: 100, step: 5, value: percent, disabled: !may });
      const said = h("output", { for: `reserve-${name}` }, `${percent} %`);
      input.addEventListener("input", () => { said.textContent = `${input.value} %`; });
      return h("div", { class: "tools spaced" }, h("label", null, name, " ", input, said),
        h("button", { type: "button", class: "primary", disabled: !may, onclick: () => {
          settle(input);
          context.act(
            "reserve", { device: name, share: Number(input.value) / 100 }, { device: name, share: held.reserves[name] },
            `The reserve of ${name} is now ${input.value} %.`);
        } }, "Set"));
    }), needs(may));
}

function drawTrading(element, held, may, context) {
  if (held.paused === null) { replace(element, h("p", { class: "quiet" }, "The daemon does not answer.")); return; }
  replace(element,
    h("p", null, h("span", { class: `pill ${held.paused ? "warn" : "good"}` }, held.paused ? "paused" : "trading")),
    h("p", { class: "spaced" }, held.paused
      ? "The node makes no new orders. What was contracted before is still delivered; the rest is settled at the tariff."
      : "The node bids for every interval. Pausing cancels the order whose gate is still open; what is contracted stays."),
    h("div", { class: "tools spaced" }, h("button", { type: "button", disabled: !may, onclick: () => context.act("trading", { paused: !held.paused }, { paused: held.paused }, held.paused ? "The node trades again." : "Trading is paused.") },
      held.paused ? "Trade again" : "Pause trading")), needs(may));
}

const needs = (may) => may ? null : h("p", { class: "quiet small" }, "Log in with a token of role owner to change this.");

function drawAccess(element, held, context) {
  if (held.name) {
    replace(element, h("p", null, `Logged in as ${held.name}, role ${held.role}.`),
      h("div", { class: "tools spaced" }, h("button", { type: "button", onclick: context.logout }, "Log out")));
    return;
  }
  const secret = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  replace(element, h("p", null, "You may look. To change something, show a token; on the node's machine ", h("code", null, "wattswarm node token add NAME --role owner --config node.toml"), " makes one."),
    h("form", { class: "tools spaced", onsubmit: (event) => { event.preventDefault(); settle(secret); context.login(secret.value); } },
      h("label", null, "Token ", secret), h("button", { type: "submit", class: "primary" }, "Log in")));
}

function drawLog(element, done) {
  const say = (action) => Object.entries(action).filter(([name]) => name !== "name").map(([name, value]) => `${name} ${value}`).join(", ");
  replace(element, done.length ? table("Actions", [brief("when"), col("who"), col("what"), col("came to")], done.slice(0, 12).map((each) => ({
    cells: [f.moment(each.at), each.who, `${each.action.name}: ${say(each.action)}`, each.outcome],
  }))) : h("p", { class: "quiet" }, "Nothing was changed on this page yet."));
}
