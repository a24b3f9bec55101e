// Home: what flows now, what today came to, what happens next and why.
import { get } from "./api.js";
import { h, replace, card, col, num } from "./dom.js";
import { flowDiagram } from "./flow.js";
import { bars, lines, legend, asTable } from "./chart.js";
import { utilityCard } from "./utility.js";
import * as f from "./format.js";

export const title = "Home";
const STORY_EVERY_MS = 3000;

export async function open({ store }) {
  const diagram = flowDiagram();
  const story = h("div", { class: "story" });
  const tiles = h("dl", { class: "tiles many" });
  const plan = h("div");
  const prices = h("div");
  const utility = utilityCard();
  const since = h("span", { class: "quiet" });

  async function renew() {
    const [told, today, slots] = await Promise.all([get("story"), get("today"), get("schedule?ahead=24")]);
    drawStory(story, told);
    drawToday(tiles, today, store.flows);
    since.textContent = `${today.intervals} settled intervals of ${f.date(today.since)}`;
    const ahead = slots.filter((slot) => slot.state !== "settled" && slot.state !== "delivered");
    replace(plan, planChart(ahead));
    replace(prices, priceChart(ahead));
    await utility.renew();
  }
  await renew();
  const element = h("div", { class: "grid" },
    card("Right now", "w7", null, diagram.element),
    card("What happens, and why", "w5", null, story),
    utility.element,
    h("section", { class: "card", "aria-label": "Today" }, h("header", null, h("h2", null, "Today"), since), tiles),
    card("The hours ahead", "w6", "kWh, expected and contracted", plan),
    card("Prices ahead", "w6", f.priceUnit(), prices));
  let told = Date.now();
  async function flows(seen) {
    diagram.update(seen);
    if (Date.now() - told < STORY_EVERY_MS) return;
    told = Date.now();
    try { drawStory(story, await get("story")); } catch { /* told again soon */ }
  }
  return { element, renew, flows };
}

function drawStory(element, told) {
  replace(element,
    h("p", { class: "lead" }, told.now), h("p", null, told.next), told.reserve ? h("p", null, told.reserve) : null,
    told.advice.length ? [h("h3", null, "Good to know"), h("ul", { class: "advice" }, told.advice.map((each) => h("li", null, each)))] : null);
}

const tile = (name, value, note) => h("div", { class: "tile" }, h("dt", null, name), h("dd", null, value, note ? h("small", null, ` ${note}`) : null));

function drawToday(element, today, flows) {
  const left = Number(today.bill) >= 0;
  replace(element,
    tile("Used", f.energy(today.used, 1)), tile("Produced", f.energy(today.produced, 1)),
    tile("Bought", f.energy(today.bought, 1)), tile("Sold", f.energy(today.sold, 1)),
    tile(left ? "Earned" : "Spent", f.money(String(Math.abs(Number(today.bill))))),
    tile("Saved", f.money(today.saved), "against the tariff"),
    tile("With neighbours", f.percent(today.neighbours_share)),
    flows && flows.reserve_wh !== null ? tile("Reserve kept", f.stored(flows.reserve_wh)) : null);
}

function planChart(slots) {
  const groups = slots.map((slot) => {
    const value = slot.expected || 0;
    return {
      label: f.time(slot.start), band: slot.expected_low !== null ? [slot.expected_low, slot.expected_high] : null,
      mark: slot.state === "open" ? null : slot.position,
      values: [{ value, color: value >= 0 ? "var(--sell)" : "var(--buy)", faint: true, name: "expected" }],
    };
  });
  return [bars({ title: "Net energy of the intervals ahead: contracted, or expected", groups, show: (value) => `${f.number(value / 1e6, 1)}` }),
    legend(["var(--sell)", "left over"], ["var(--buy)", "missing"], ["var(--mates)", "contracted"]),
    groups.some((each) => each.band) ? h("p", { class: "quiet small" }, "Thin lines: the middle 80 % of past errors.") : null,
    asTable("Energy ahead", [col("from"), num("contracted"), num("expected")], slots.map((slot) => ({
      cells: [f.time(slot.start), f.energy(slot.position), f.energy(slot.expected)],
    })))];
}

function priceChart(slots) {
  const labels = slots.map((slot) => f.time(slot.start));
  return [lines({ title: "Import, export and cleared prices ahead", labels, show: (value) => f.number(value / 1e6, 2), series: [
    { values: slots.map((slot) => slot.import_price), color: "var(--grid)", dash: "5 4" },
    { values: slots.map((slot) => slot.export_price), color: "var(--grid)", dash: "2 4" },
    { values: slots.map((slot) => slot.price), color: "var(--mates)", wide: 4 },
  ] }), legend(["var(--grid)", "tariff: buying (dashes), selling (dots)"], ["var(--mates)", "agreed with the neighbours"]),
  asTable("Prices ahead", [col("from"), num("buying"), num("selling"), num("agreed")], slots.map((slot) => ({
    cells: [f.time(slot.start), f.price(slot.import_price), f.price(slot.export_price), f.price(slot.price)],
  })))];
}
