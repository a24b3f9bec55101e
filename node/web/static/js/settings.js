// Settings: what the owner may change. Each change says what it will do, and is undone by one click where that can be.
import { get } from "./api.js";
import { h, redraw, replace, settle, card, table, brief, col } from "./dom.js";
import { operatorCards } from "./operator.js";
import { drawVirtualBattery } from "./virtual-battery.js";
import * as f from "./format.js";

export const title = "Settings";

export async function open(context) {
  const parts = Object.fromEntries(["reserve", "trading", "goal", "services", "battery", "devices", "privacy", "access", "log"].map((name) => [name, h("div")]));
  const operator = operatorCards(context);

  async function renew() {
    let held;
    try {
      held = await get("settings");
    } catch (fault) {
      if (fault.status !== 401) throw fault;
      // Nobody may even look: all that is left to do here is to log in.
      drawAccess(parts.access, { name: null }, context);
      for (const [name, element] of Object.entries(parts)) if (name !== "access") replace(element, h("p", { class: "quiet" }, "Log in to see this."));
      return;
    }
    const may = held.role === "owner" || held.role === "operator";
    drawReserve(parts.reserve, held, may, context);
    drawTrading(parts.trading, held, may, context);
    drawGoal(parts.goal, held, may, context);
    drawServices(parts.services, held, may, context);
    drawPrivacy(parts.privacy, held, may, context);
    drawAccess(parts.access, held, context);
    const [devices, battery, done] = await Promise.all([get("access"), get("virtual-batteries"), may ? get("actions") : null, operator.renew(held.role === "operator")]);
    drawVirtualBattery(parts.battery, battery, may, context);
    drawDevices(parts.devices, devices, may, context);
    if (may) drawLog(parts.log, done);
    else replace(parts.log, h("p", { class: "quiet" }, "Log in with an owner's token to see who changed what."));
  }
  await renew();
  const element = h("div", null,
    h("div", { class: "grid" },
      card("Who you are here", "w6", null, parts.access), card("Trading", "w6", null, parts.trading),
      card("Reserve", "w6", "kept for you, always", parts.reserve), card("What the node aims at", "w6", null, parts.goal),
      card("Services for the grid", "w6", null, parts.services), card("Privacy", "w6", null, parts.privacy),
      card("Virtual battery", "", "members of one branch that trade as one", parts.battery),
      card("Devices", "", "who may use them, and which go first", parts.devices)),
    operator.element,
    h("div", { class: "grid spaced" }, card("What was changed", "", "newest first", parts.log)));
  return { element, renew };
}

const silent = (held) => held.mode === null ? "The daemon does not answer." : null;
const quiet = (text) => h("p", { class: "quiet" }, text);
export const needs = (may, role = "owner") => may ? null : h("p", { class: "quiet small" }, `Log in with a token of role ${role} to change this.`);

function drawReserve(element, held, may, context) {
  const names = Object.keys(held.reserves);
  if (!names.length) { replace(element, quiet(silent(held) || "This node has no battery.")); return; }
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
  if (held.paused === null) { replace(element, quiet(silent(held) || "Nothing is known yet.")); return; }
  replace(element,
    h("p", null, h("span", { class: `pill ${held.paused ? "warn" : "good"}` }, held.paused ? "paused" : "trading")),
    h("p", { class: "spaced" }, held.paused
      ? "The node makes no new orders. What was contracted before is still delivered; the rest is settled at the tariff."
      : "The node bids for every interval. Pausing cancels the order whose gate is still open; what is contracted stays."),
    h("div", { class: "tools spaced" }, h("button", { type: "button", disabled: !may, onclick: () => context.act("trading", { paused: !held.paused }, { paused: held.paused }, held.paused ? "The node trades again." : "Trading is paused.") },
      held.paused ? "Trade again" : "Pause trading")), needs(may));
}

const GOALS = {
  cheapest: "Cheapest: the smallest bill.",
  greenest: "Greenest: buys when the grid is clean, also where that costs more.",
  independent: "Most independent: own energy goes to own loads first.",
};

function drawGoal(element, held, may, context) {
  if (held.goal === null) { replace(element, quiet(silent(held) || "Nothing is known yet.")); return; }
  const choice = h("select", { id: "goal", disabled: !may }, held.goals.map((goal) =>
    h("option", { value: goal.name, selected: goal.name === held.goal, disabled: goal.fault !== "" && goal.name !== held.goal }, GOALS[goal.name])));
  const bound = (id, value, text) => {
    const input = h("input", { type: "number", id, min: 0, max: 1000, step: 0.001, value, placeholder: "none", disabled: !may });
    return [input, h("label", null, text, " ", input)];
  };
  const [floor, floorLabel] = bound("price-floor", held.price_floor, "Never sell below");
  const [cap, capLabel] = bound("price-cap", held.price_cap, "Never buy above");
  const number = (input) => input.value === "" ? null : Number(input.value);
  const before = { goal: held.goal, price_floor: held.price_floor, price_cap: held.price_cap };
  replace(element, h("p", null, "The order whose gate is still open is given anew at once; what is contracted stays."),
    h("form", { class: "spaced", onsubmit: (event) => {
      event.preventDefault();
      settle(event.target);
      context.act("preferences", { goal: choice.value, price_floor: number(floor), price_cap: number(cap) }, before, "The node bids for what you want now.");
    } }, h("div", { class: "tools" }, h("label", null, "Goal ", choice)),
    h("div", { class: "tools" }, floorLabel, capLabel, h("span", { class: "quiet small" }, f.priceUnit()),
      h("button", { type: "submit", class: "primary", disabled: !may }, "Set goal and prices"))),
    held.goals.filter((goal) => goal.fault).map((goal) => h("p", { class: "quiet small" }, `${goal.name} cannot be chosen here: ${goal.fault}.`)), needs(may));
}

function drawServices(element, held, may, context) {
  if (!held.services.length) {
    replace(element, quiet(silent(held) || "No service is configured on this node. [[site.armed_services]] and [[site.requested_services]] in its configuration name those that it may offer."));
    return;
  }
  replace(element, h("p", null, "An armed service keeps headroom free and is paid for it. A disarmed one stops at once; what the cell still counts as armed, one interval or two, is not paid."),
    held.services.map((service) => {
      const armed = service.up_w > 0 || service.down_w > 0;
      const whole = Math.max(service.most_up_w, service.most_down_w);
      const now = whole ? Math.round(100 * Math.max(service.up_w, service.down_w) / whole) : 0;
      const input = h("input", { type: "range", id: `service-${service.name}`, min: 0, max: 100, step: 10, value: now, disabled: !may });
      const watts = (share) => ({ up_w: service.most_up_w * share, down_w: service.most_down_w * share });
      const text = (of) => `${f.power(of.up_w)} up, ${f.power(of.down_w)} down`;
      const said = h("output", { for: input.id }, text(service));
      input.addEventListener("input", () => { said.textContent = text(watts(input.value / 100)); });
      const set = (share) => {
        settle(input);
        context.act("arming", { service: service.name, ...watts(share) }, { service: service.name, up_w: service.up_w, down_w: service.down_w },
          share ? `${service.name} is armed: ${text(watts(share))}.` : `${service.name} is disarmed.`);
      };
      return h("div", { class: "spaced" }, h("h3", null, service.name, " ", h("span", { class: `pill ${armed ? "good" : ""}` }, armed ? "armed" : "disarmed")),
        h("div", { class: "tools" }, h("label", null, "Headroom ", input, said),
          h("button", { type: "button", class: "primary", disabled: !may, onclick: () => set(input.value / 100) }, "Arm"),
          h("button", { type: "button", disabled: !may || !armed, onclick: () => set(0) }, "Disarm")));
    }), needs(may));
}

const PRIORITIES = ["critical", "essential", "normal", "deferrable"];

function drawDevices(element, devices, may, context) {
  if (!devices.length) { replace(element, quiet("This node is no member of the cell yet, or has no devices.")); return; }
  replace(element, h("p", null, "In an emergency the critical ones are served first. You alone say whether the operator may release a device and set its priority, and whether services of the grid operator may use it. The cell agrees on it: it holds from the next block."),
    table("Devices", [col("device"), col("priority"), col("operator may use it"), col("grid services may use it"), col("change")], devices.map((device) => {
      const priority = h("select", { id: `priority-${device.name}`, "aria-label": `Priority of ${device.name}`, disabled: !may },
        device.priority === null ? h("option", { value: "", selected: true }, "as configured") : null,
        PRIORITIES.map((each) => h("option", { value: each, selected: each === device.priority }, each)));
      const box = (who, on) => h("input", { type: "checkbox", id: `${who}-${device.name}`, "aria-label": `${who} may use ${device.name}`, checked: on, disabled: !may });
      const [operator, dso] = [box("operator", device.operator), box("dso", device.dso)];
      const undo = { device: device.name, operator: device.operator, dso: device.dso };
      return { cells: [device.name, priority, operator, dso, h("button", { type: "button", class: "small", disabled: !may, "aria-label": `Set ${device.name}`, onclick: () => {
        for (const each of [priority, operator, dso]) settle(each);
        context.act("access", { device: device.name, priority: priority.value || null, operator: operator.checked, dso: dso.checked },
          // A priority cannot be given back to the configuration.
          device.priority !== null ? { ...undo, priority: device.priority } : priority.value ? null : undo, (left) => left.text);
      } }, "Set")] };
    })), needs(may));
}

function drawPrivacy(element, held, may, context) {
  replace(element, h("p", null, "The cell sees what your meter counts in each interval, your orders and contracts, your free headroom and state of charge, and alarms without the names of devices. Nothing of single devices, circuits or shorter times leaves this node."),
    h("p", { class: "spaced" }, held.private ? "To look at this page needs a token, on this machine too." : "Whoever is on this node's machine may look at this page without a token, and change nothing."),
    h("div", { class: "tools spaced" }, h("button", { type: "button", disabled: !may, onclick: () => context.act("privacy", { private: !held.private }, { private: held.private }, held.private ? "This machine may look without a token again." : "Nobody looks without a token now.") },
      held.private ? "Let this machine look" : "Only with a token")), needs(may));
}

function drawAccess(element, held, context) {
  if (held.name) {
    redraw(element, `${held.name}, ${held.role}`, h("p", null, `Logged in as ${held.name}, role ${held.role}.`),
      h("div", { class: "tools spaced" }, h("button", { type: "button", onclick: context.logout }, "Log out")));
    return;
  }
  const secret = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  redraw(element, "nobody", h("p", null, "To change something, show a token; on the node's machine ", h("code", null, "wattswarm node token add NAME --role owner --config node.toml"), " makes one."),
    h("form", { class: "tools spaced", onsubmit: (event) => { event.preventDefault(); settle(secret); context.login(secret.value); } },
      h("label", null, "Token ", secret), h("button", { type: "submit", class: "primary" }, "Log in")));
}

function drawLog(element, done) {
  const say = (action) => Object.entries(action).filter(([name]) => name !== "name").map(([name, value]) => `${name} ${value}`).join(", ");
  replace(element, done.length ? table("Actions", [brief("when"), col("who"), col("what"), col("came to")], done.slice(0, 12).map((each) => ({
    cells: [f.moment(each.at), each.who, `${each.action.name}: ${say(each.action)}`, each.outcome],
  }))) : quiet("Nothing was changed on this page yet."));
}
