// The operators' part of the settings: tariff, limits, members, requests and the emergency state of the cell. What is said
// here is signed by this node, and the cell decides whether it counts.
import { get } from "./api.js";
import { h, replace, settle, card, table, brief, col, num } from "./dom.js";
import { barred, chooser, field, form, quiet, small, waits } from "./saying.js";
import { contractCards } from "./contracts.js";
import { drawDeclaring } from "./emergency.js";
import { drawProposing } from "./versions.js";
import * as f from "./format.js";

const STEPS_SHOWN = 4;

export function operatorCards(context) {
  const parts = Object.fromEntries(["tariff", "limits", "members", "requests", "emergency", "declared", "protocol"].map((name) => [name, h("div")]));
  const note = h("div");
  const contracts = contractCards();
  const cards = h("div", { class: "grid" },
    card("Emergency state of the cell", "w6", null, parts.emergency), card("Tariff", "w6", null, parts.tariff),
    card("Limits of branches", "w6", null, parts.limits), card("Flexibility requests", "w6", null, parts.requests),
    contracts.elements, card("Members", "", null, parts.members), card("An outage of the public grid", "w6", null, parts.declared), card("Protocol of the cell", "w6", null, parts.protocol));
  const element = h("section", { "aria-label": "The cell", hidden: true }, h("h2", { class: "spaced" }, "The cell"), note, cards);

  async function renew(may) {
    if (!may) { element.hidden = true; return; }
    const [held, members, said, protocol, emergency] = await Promise.all(["control", "members", "said", "protocol", "emergency"].map((path) => get(path)));
    element.hidden = false;
    replace(note, small(`What you set here is signed by this node and holds once a block has it.${held.waiting ? ` ${held.waiting} waiting for the node.` : ""}${held.changes.length ? ` About to hold: ${held.changes.join("; ")}.` : ""}`));
    drawEmergency(parts.emergency, held, context);
    drawDeclaring(parts.declared, held, emergency, context);
    drawTariff(parts.tariff, held, context);
    drawLimits(parts.limits, held, said, context);
    drawRequests(parts.requests, held, said, context);
    drawMembers(parts.members, held, members, context);
    drawProposing(parts.protocol, protocol, context);
    await contracts.renew(held, context);
  }
  return { element, renew };
}

function drawEmergency(element, held, context) {
  const states = { stop: ["bad", "everybody is stopped"], "stand-by": ["warn", "everybody stands by"], resume: ["good", "released"] };
  const [kind, text] = states[held.commanded] || ["good", "nothing is ordered"];
  const give = (command, undo, said) => context.act("commands", { command }, undo ? { command: undo } : null, said);
  replace(element, h("p", null, h("span", { class: `pill ${kind}` }, text)), barred(held.operator) || [
    h("p", { class: "spaced" }, "Members obey as soon as they hear it, before a block has it. What an owner has stopped, only the owner releases."),
    h("div", { class: "tools spaced" },
      h("button", { type: "button", class: "stop", onclick: () => context.confirmed("Stop every member's devices?", "In every home of the cell the batteries rest and generation feeds nothing in, at once and until you release it. What was contracted is not delivered and is settled at the tariff.", "Stop the cell", () =>
        give("stop", "resume", "The cell is stopped.")) }, "Stop the cell"),
      h("button", { type: "button", onclick: () => context.confirmed("Let every member stand by?", "In every home of the cell the batteries rest; generation goes on within its limits.", "Stand by", () =>
        give("stand-by", "resume", "The cell stands by.")) }, "Stand by"),
      held.commanded && held.commanded !== "resume" ? h("button", { type: "button", onclick: () => give("resume", null, "The cell is released.") }, "Release") : null)]);
}

function drawTariff(element, held, context) {
  const plan = held.tariffs.length ? table("Tariff", [brief("from"), num("buying"), num("selling")], held.tariffs.slice(0, STEPS_SHOWN).map((step, index) => ({
    cells: [index ? f.moment(step.start) : "now", f.price(step.import_price), f.price(step.export_price)],
  }))) : null;
  const more = held.tariffs.length > STEPS_SHOWN ? small(`and ${held.tariffs.length - STEPS_SHOWN} later steps`) : null;
  const fault = barred(held.operator);
  if (fault) { replace(element, plan, more, fault); return; }
  const now = held.tariffs[0];
  const text = (price) => (price / 1e6).toFixed(6);
  const [buying, buyingLabel] = field("Buying", { id: "tariff-import", type: "number", step: 0.000001, value: now ? now.import_price / 1e6 : 0.3 });
  const [selling, sellingLabel] = field("Selling", { id: "tariff-export", type: "number", step: 0.000001, value: now ? now.export_price / 1e6 : 0.05 });
  const [from, fromLabel] = field("In intervals from now", { id: "tariff-from", type: "number", min: 1, max: 10000, value: 1 });
  replace(element, plan, more, h("div", { class: "spaced" }, form("Set the tariff", [[buyingLabel, sellingLabel, h("span", { class: "quiet small" }, f.priceUnit())], [fromLabel, small(`1 is ${f.moment(held.first_start)}, the first that can still change`)]], (shown) => {
    const first = held.first_interval + Number(from.value) - 1;
    const body = { import_price: buying.value, export_price: selling.value, from_interval: first };
    const before = [...held.tariffs].reverse().find((step) => step.from_interval <= first) || now;
    context.confirmed("Change the tariff?", `From interval ${first} on the supplier takes ${body.import_price} and pays ${body.export_price} per kWh, of everybody.`, "Change it", () => {
      settle(shown);
      context.act("tariffs", body, before ? { import_price: text(before.import_price), export_price: text(before.export_price), from_interval: first } : null, waits);
    });
  })));
}

// What this node has said and no block has yet stands below what the cell has agreed.
const withUnagreed = (agreed, said, what) => [...agreed, ...said.filter((each) => each.what === what && !each.agreed && !agreed.some((other) => other.id === each.id))];

function takeBack(each, said, title, text, context) {
  const own = said.find((other) => other.id === each.id);
  if (!own) return "";
  if (own.withdrawn) return "withdrawn";
  return h("button", { type: "button", class: "small", "aria-label": title.replace("?", ""), onclick: () =>
    context.confirmed(title, text, "Withdraw it", () => context.act("withdrawals", { said: each.id }, null, waits)) }, "Withdraw");
}

// One click right after saying it: the daemon signs within a second, and then it has an id of its own.
function takeBackNewest(what, said, context) {
  const before = new Set(said.map((each) => each.id));
  return async () => {
    const found = (await get("said")).find((each) => each.what === what && !each.withdrawn && !before.has(each.id));
    if (found) context.act("withdrawals", { said: found.id }, null, waits);
    else context.notice("The node has not signed it yet; withdraw it from the list in a moment.");
  };
}

function drawLimits(element, held, said, context) {
  const rows = withUnagreed(held.limits, said, "limit");
  const plan = rows.length ? table("Limits", [col("branch"), num("at most"), col("change")], rows.map((limit) => {
    const watts = limit.limit_w ?? limit.power_w;
    const until = limit.end ?? new Date(Date.parse(limit.start) + (limit.last - limit.first + 1) * held.interval_s * 1000).toISOString();
    return { cells: [[limit.branch, small(`${f.moment(limit.start)} until ${f.moment(until)}`)], f.power(watts),
      takeBack(limit, said, `Withdraw the limit of ${limit.branch}?`, `${limit.branch} is no longer held to ${f.power(watts)}, from the next interval on whose gate is still open. Other limits of it stay, and the lowest of them counts.`, context)] };
  })) : quiet("No limit is set beyond those of the feeder.");
  const fault = barred(held.dso);
  if (fault) { replace(element, plan, fault); return; }
  const [branch, branchLabel] = chooser("Branch", "limit-branch", held.branches.map((each) => [each, each]));
  const [power, powerLabel] = field("At most", { id: "limit-power", type: "number", min: 0, step: 0.1, placeholder: "kW" });
  const [from, fromLabel] = field("In intervals from now", { id: "limit-from", type: "number", min: 1, max: 10000, value: 1 });
  const [count, countLabel] = field("For intervals", { id: "limit-count", type: "number", min: 1, max: 10000, value: 4 });
  replace(element, plan, h("div", { class: "spaced" }, form("Set the limit", [[branchLabel, powerLabel, h("span", { class: "quiet small" }, "kW")], [fromLabel, countLabel]], (shown) => {
    const first = held.first_interval + Number(from.value) - 1;
    const body = { branch: branch.value, limit_w: Number(power.value) * 1000, first, last: first + Number(count.value) - 1 };
    context.confirmed("Limit this branch?", `${body.branch} carries ${f.power(body.limit_w)} at most in ${count.value} intervals, both ways: prices there rise until it holds. Where several limits hold the lowest counts. It can be withdrawn for intervals whose gate is still open.`, "Limit it", () => {
      settle(shown);
      context.act("limits", body, takeBackNewest("limit", said, context), waits);
    });
  })));
}

function drawRequests(element, held, said, context) {
  const rows = withUnagreed(held.requests, said, "request");
  const plan = rows.length ? table("Requests", [col("service"), num("power"), col("change")], rows.map((each) => ({
    cells: [[each.service, small(`${each.branch || "the whole cell"}, until ${f.moment(each.end)}`)], f.power(each.power_w),
      takeBack(each, said, `Withdraw the request for ${each.service}?`, `Members stop giving ${f.power(each.power_w)} as soon as they hear it. What they gave until then is paid.`, context)],
  }))) : quiet("Nothing is called.");
  const fault = barred(held.dso) || (held.services.length ? null : small("This dso buys no service that is called on request; it can buy one below."));
  if (fault) { replace(element, plan, fault); return; }
  const [service, serviceLabel] = chooser("Service", "request-service", held.services.map((each) => [each, each]));
  const [branch, branchLabel] = chooser("Where", "request-branch", [["", "the whole cell"], ...held.branches.map((each) => [each, each])]);
  const [power, powerLabel] = field("Power", { id: "request-power", type: "number", step: 0.1, placeholder: "kW" });
  const [minutes, minutesLabel] = field("For minutes", { id: "request-minutes", type: "number", min: 1, max: 1440, value: 30 });
  replace(element, plan, h("div", { class: "spaced" }, form("Call it", [[serviceLabel, branchLabel], [powerLabel, small("kW; positive injects more, negative withdraws more"), minutesLabel]], (shown) => {
    const body = { service: service.value, power_w: Number(power.value) * 1000, for_s: Number(minutes.value) * 60, branch: branch.value || null };
    context.confirmed("Call this power?", `Members that armed ${body.service} give ${f.power(body.power_w)} together, as soon as they hear it and for ${minutes.value} minutes. It ends by itself, and can be withdrawn before.`, "Call it", () => {
      settle(shown);
      context.act("requests", body, takeBackNewest("request", said, context), waits);
    });
  })));
}

function drawMembers(element, held, members, context) {
  const fault = barred(held.members);
  const list = table("Members", [col("member"), col("roles"), col("state"), col("change")], members.map((member) => ({ cells: [
    member.name, member.roles.join(", "), member.frozen ? "frozen" : member.mine ? "this node" : member.up ? "reached" : "not reached",
    fault || member.mine ? "" : h("button", { type: "button", class: "small", "aria-label": `Remove ${member.name}`, onclick: () =>
      context.confirmed(`Remove ${member.name}?`, "It is no longer heard and no node connects to it. Its open positions go to the supplier; its account stays. To come back it must be admitted again.", "Remove", () =>
        context.act("members/remove", { member: member.name }, null, waits)) }, "Remove"),
  ] })));
  if (fault) { replace(element, list, fault); return; }
  const text = h("textarea", { id: "member-card", rows: 5, required: true, spellcheck: "false" });
  const [what, whatLabel] = chooser("It is for", "member-what", [["", "a new member"], ...members.map((each) => [each.name, `new keys of ${each.name}`])]);
  const [credit, creditLabel] = field("Credit", { id: "member-credit", type: "number", min: 0, max: 1e9, step: 1, value: 100 });
  replace(element, list, h("div", { class: "spaced" }, h("label", { class: "quiet small", for: "member-card" }, "Card (the text of member.toml, which `wattswarm node init` wrote)"), text,
    form("Sign the change", [[whatLabel, creditLabel]], (shown) => {
      const adds = what.value === "";
      context.confirmed(adds ? "Admit this member?" : `Give ${what.value} new keys?`,
        adds ? `It may trade from two blocks on and owe up to ${credit.value} currency units. The change is signed with the cell's operator key.` : "The old keys are void from then on. The change is signed with the cell's operator key.", "Sign", () => {
          settle(shown);
          settle(text);
          if (adds) context.act("members/add", { card: text.value, credit: Number(credit.value) }, null, waits);
          else context.act("members/rotate", { member: what.value, card: text.value }, null, waits);
        });
    })));
}
