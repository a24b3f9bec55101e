// The virtual batteries of the cell: who bids for whom, who still has to say so, and what this node's owner says of it.
import { h, replace, settle, table, col, num } from "./dom.js";
import { barred, chooser, form, quiet, small, waits } from "./saying.js";
import * as f from "./format.js";

const W_PER_MW = 1e-3;
const list = (names) => names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}` : names[0];

function now(held) {
  const led = held.virtual_batteries.find((each) => each.aggregator === held.member);
  if (held.bidder) return [h("span", { class: "pill good" }, "bid for"), ` ${held.bidder} bids for this node and has the imbalance. What the meter shows is got or paid at the price of the branch.`];
  if (led) return [h("span", { class: "pill good" }, "bids for others"), ` This node bids for ${list(led.members.map((each) => each.member))} as well, and has the imbalance of all.`];
  return "This node bids for itself.";
}

function asked(held, word) {
  const delegates = word.said.includes("delegation");
  const [who, whom] = delegates ? [word.member, word.aggregator] : [word.aggregator, word.member];
  const name = (each) => each === held.member ? "this node" : each;
  const wish = delegates ? `${name(who)} names ${name(whom)} as its aggregator` : `${name(who)} names ${name(whom)} as one that it bids for`;
  return h("li", null, `${wish}, but ${word.why}. `, word.waits_for ? h("strong", null, `Waits for ${name(word.waits_for)}.`) : null);
}

function batteries(held) {
  if (!held.virtual_batteries.length) return null;
  return table("Virtual batteries", [col("bids"), col("for"), col("branch"), num("injects / withdraws at most")], held.virtual_batteries.map((each) => ({ cells: [
    each.aggregator, each.members.map((part) => part.aggregator === each.aggregator ? part.member : `${part.member} (through ${part.aggregator})`).join(", "),
    each.branch, `${f.power(each.max_injection_mw * W_PER_MW)} / ${f.power(each.max_withdrawal_mw * W_PER_MW)}`,
  ] })));
}

export function drawVirtualBattery(element, held, may, context) {
  const shown = [h("p", null, now(held)), held.waiting.length ? h("ul", { class: "advice" }, held.waiting.map((word) => asked(held, word))) : null, batteries(held)];
  const fault = barred(held.fault);
  if (fault) { replace(element, shown, fault); return; }
  if (!may) { replace(element, shown, small("Log in with a token of role owner to change this.")); return; }
  replace(element, shown, h("div", { class: "spaced" }, joining(held, context)), h("div", { class: "spaced" }, leading(held, context)));
}

function joining(held, context) {
  const undo = { aggregator: held.aggregator };
  const leave = held.aggregator === null ? null : h("button", { type: "button", onclick: () =>
    context.act("virtual-batteries/delegation", { aggregator: null }, undo, waits) }, "Leave");
  const others = held.partners.filter((each) => each !== held.aggregator);
  if (!others.length) return [held.partners.length ? null : quiet("Nobody else is on this branch."), leave];
  const [aggregator, label] = chooser("Aggregator", "battery-aggregator", others.map((each) => [each, each]));
  return [form("Let it bid", [[label, held.aggregator ? small(`in place of ${held.aggregator}`) : null]], (sent) => {
    const body = { aggregator: aggregator.value };
    context.confirmed(`Let ${body.aggregator} bid for this node?`, `Once ${body.aggregator} names this node as well, it makes the orders for both. This node has none of its own then, and gets or pays the price of the branch for what its meter shows. Its reserve stays; services that it has armed are not delivered.`, "Let it bid", () => {
      settle(sent);
      context.act("virtual-batteries/delegation", body, undo, waits);
    });
  }), leave];
}

function leading(held, context) {
  const names = [...new Set([...held.partners, ...held.leads])].sort();
  if (!names.length) return null;
  const boxes = names.map((name) => {
    const box = h("input", { type: "checkbox", id: `battery-lead-${name}`, checked: held.leads.includes(name) });
    return [name, box, h("label", null, box, " ", name)];
  });
  return form("Bid for these", [boxes.map(([, , label]) => label)], (sent) => {
    const members = boxes.filter(([, box]) => box.checked).map(([name]) => name);
    const undo = { members: held.leads };
    const say = () => { settle(sent); context.act("virtual-batteries/aggregation", { members }, undo, waits); };
    if (!members.length) { say(); return; }
    context.confirmed(`Bid for ${list(members)}?`, "For each of them that names this node, too: this node makes the orders for all from its own account, and has the one imbalance of all. What services all deliver is what this node has armed. Who is not chosen bids for itself.", "Bid for these", say);
  });
}
