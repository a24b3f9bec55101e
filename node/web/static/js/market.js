// Market: prices and volumes, the merit order of any interval, and what this member bids, gets and pays.
import { get } from "./api.js";
import { h, replace, card, table, brief, col, num } from "./dom.js";
import { bars, lines, merit, legend, asTable } from "./chart.js";
import * as f from "./format.js";

export const title = "Market";
const SHOWN = 48;

export async function open() {
  const prices = h("div");
  const volumes = h("div");
  const order = h("div");
  const forecast = h("div");
  const fills = h("div");
  const orders = h("div");
  const invoices = h("div");
  const bill = h("dl", { class: "tiles" });
  const choice = h("select", { id: "interval", onchange: () => drawAuction(Number(choice.value)) });
  let newest = null;

  async function drawAuction(interval) {
    const auction = await get(`auctions/${interval}`);
    replace(order, meritChart(auction));
  }

  async function renew() {
    const [past, slots, filled, ordered, today, months] = await Promise.all([
      get(`prices?limit=${SHOWN}`), get("forecasts?ahead=24"), get("fills?limit=12"), get("orders?limit=5"), get("today"), get("invoices")]);
    replace(prices, priceChart(past));
    replace(volumes, volumeChart(past));
    replace(forecast, forecastChart(slots));
    replace(fills, fillTable(filled));
    replace(orders, orderTable(ordered));
    drawBill(bill, today);
    replace(invoices, invoiceTable(months));
    const last = past.length ? past[past.length - 1].interval : null;
    const follows = newest === null || Number(choice.value) === newest;
    if (last !== newest) {
      const kept = choice.value;
      replace(choice, [...past].reverse().map((each) => h("option", { value: each.interval }, f.moment(each.start))));
      newest = last;
      choice.value = follows ? String(last) : kept;
      if (follows && last !== null) await drawAuction(last);
    } else if (follows && last !== null) await drawAuction(last);
    if (last === null) replace(order, h("p", { class: "quiet" }, "No auction yet."));
  }
  await renew();
  const element = h("div", { class: "grid" },
    card("Prices", "w6", f.priceUnit(), prices),
    card("Traded", "w6", "kWh per interval", volumes),
    h("section", { class: "card", "aria-label": "Merit order" }, h("header", null, h("h2", null, "Merit order"),
      h("label", { class: "quiet" }, "Interval ", choice)), order),
    card("My bill today", "w6", null, bill),
    card("My forecast", "w6", "kWh, net", forecast),
    card("My invoices", "", "every posting of a month, from the ledger", invoices),
    card("My trades", "", null, fills),
    card("My orders", "", null, orders));
  return { element, renew };
}

const priceOf = (row) => {
  const priced = row.branches.filter((branch) => branch.price !== null);
  return priced.length ? priced : null;
};

export function priceChart(past) {
  if (!past.length) return h("p", { class: "quiet" }, "No auction yet.");
  const names = past[past.length - 1].branches.map((branch) => branch.name);
  const series = names.slice(1).length ? names.slice(1) : names;
  const colors = ["var(--mates)", "var(--home)", "var(--spin)", "var(--sun)", "var(--battery)"];
  return [lines({ title: "Prices of the last auctions by branch", labels: past.map((row) => f.time(row.start)), show: (value) => f.number(value / 1e6, 2), series: [
    { values: past.map((row) => row.import_price), color: "var(--grid)", dash: "5 4" },
    { values: past.map((row) => row.export_price), color: "var(--grid)", dash: "2 4" },
    ...series.slice(0, 5).map((name, index) => ({ color: colors[index], wide: 3.5 - index * 0.7, values: past.map((row) => (row.branches.find((each) => each.name === name) || { price: null }).price) })),
  ] }), legend(...series.slice(0, 5).map((name, index) => [colors[index], name]), ["var(--grid)", "tariff: buying (dashes), selling (dots)"]),
  asTable("Prices", [col("interval"), ...names.map(num), num("buying"), num("selling"), col("state")], [...past].reverse().map((row) => ({
    cells: [f.moment(row.start), ...row.branches.map((branch) => f.price(branch.price)), f.price(row.import_price), f.price(row.export_price), row.fate],
  })))];
}

export function volumeChart(past) {
  if (!past.length) return h("p", { class: "quiet" }, "No auction yet.");
  const groups = past.map((row) => ({ label: f.time(row.start), values: [
    { value: row.volume - row.grid_import - row.grid_export, color: "var(--mates)", name: "among neighbours" },
    { value: row.grid_import, color: "var(--buy)", name: "from the grid" },
    { value: row.grid_export, color: "var(--sell)", name: "to the grid" },
  ] }));
  return [bars({ title: "Traded energy of the last auctions", groups, show: (value) => f.number(value / 1e6, 1) }),
    legend(["var(--mates)", "among neighbours"], ["var(--buy)", "from the grid"], ["var(--sell)", "to the grid"]),
    asTable("Traded energy", [col("interval"), num("traded"), num("from the grid"), num("to the grid")], [...past].reverse().map((row) => ({
      cells: [f.moment(row.start), f.energy(row.volume), f.energy(row.grid_import), f.energy(row.grid_export)],
    })))];
}

function meritChart(auction) {
  if (!auction.buys.length && !auction.sells.length) return h("p", { class: "quiet" }, "Nobody bid in this interval.");
  const shown = auction.own_price !== null ? auction.own_price : (priceOf(auction) || [{ price: null }])[0].price;
  const step = (each) => ({ properties: { class: each.mine ? "mine" : null }, cells: [each.side === "buy" ? "buys" : "sells", each.mine ? `${each.member} (you)` : each.member, each.branch, f.price(each.price), f.energy(each.quantity, 3), f.energy(each.filled, 3)] });
  return [merit({ title: `Merit order of ${f.moment(auction.start)}`, buys: auction.buys, sells: auction.sells, price: shown, show: (value) => f.number(value / 1e6, 2), showQuantity: (value) => f.energy(value, 1) }),
    legend(["var(--buy)", "buyers, dearest first"], ["var(--sell)", "sellers, cheapest first"], ["var(--ink)", "thick: yours"]),
    h("p", { class: "quiet small" }, shown === null ? "Nothing traded: no buyer met a seller. " : "", "The grid's own offer at the tariff is not drawn. ", auction.fate === "pending" ? "The next block will confirm it." : `It ${auction.fate === "void" ? "is void: decided too late, or for an interval of emergency" : "stands"}.`),
    asTable("Merit order", [col("side"), col("member"), col("branch"), num("price"), num("offered"), num("filled")], [...auction.buys, ...auction.sells].map(step))];
}

function forecastChart(slots) {
  const ahead = slots.filter((slot) => slot.expected !== null);
  if (!ahead.length) return h("p", { class: "quiet" }, "This node makes no forecast.");
  const labels = ahead.map((slot) => f.time(slot.start));
  const banded = ahead.some((slot) => slot.expected_low !== null);
  return [lines({ title: "Expected load, generation and net energy", labels, show: (value) => f.number(value / 1e6, 1), series: [
    { values: ahead.map((slot) => slot.expected_load === null ? null : -slot.expected_load), color: "var(--home)" },
    { values: ahead.map((slot) => slot.expected_generation), color: "var(--sun)" },
    { values: ahead.map((slot) => slot.expected), color: "var(--mates)", wide: 3.5 },
  ], band: banded ? { low: ahead.map((slot) => slot.expected_low), high: ahead.map((slot) => slot.expected_high), color: "var(--mates)" } : null }),
  legend(["var(--sun)", "generation"], ["var(--home)", "use"], ["var(--mates)", banded ? "net, with the middle 80 % of past errors" : "net; its range is shown once a day is known"]),
  asTable("Forecast", [col("from"), num("use"), num("generation"), num("net"), num("low"), num("high")], ahead.map((slot) => ({
    cells: [f.time(slot.start), f.energy(slot.expected_load), f.energy(slot.expected_generation), f.energy(slot.expected), f.energy(slot.expected_low), f.energy(slot.expected_high)],
  })))];
}

function drawBill(element, today) {
  const tile = (name, value) => h("div", { class: "tile" }, h("dt", null, name), h("dd", null, value));
  replace(element, tile("Paid", f.money(today.paid)), tile("Earned", f.money(today.earned)), tile("Saved against the tariff", f.money(today.saved)), tile("Account", f.money(today.balance)));
}

function invoiceTable(months) {
  if (!months.length) return h("p", { class: "quiet" }, "No month has begun yet.");
  const link = (month, format, text, more) => h("a", { href: `api/v1/invoices/${month}?format=${format}`, "aria-label": `Invoice of ${month}, ${text}`, ...more }, text);
  return table("My invoices", [brief("month"), col("state"), col("invoice")], months.slice(0, 24).map(({ month, closed }) => ({ cells: [
    month, closed ? "final" : "provisional: the month can still change",
    h("span", { class: "links" }, link(month, "html", "to print", { target: "_blank", rel: "noopener" }), link(month, "csv", "CSV", { download: "" }), link(month, "json", "JSON", { target: "_blank", rel: "noopener" })),
  ] })));
}

function tradedOf(fill) {
  const traded = fill.position === 0 ? (fill.aggregator ? `${fill.aggregator} bid` : "nothing") : `${fill.position > 0 ? "sold" : "bought"} ${f.energy(Math.abs(fill.position))}`;
  if (!fill.passed_on) return traded;
  return [traded, h("div", { class: "quiet small" }, `${fill.passed_on > 0 ? "gave" : "got"} ${f.energy(Math.abs(fill.passed_on))} in the virtual battery`)];
}

function fillTable(filled) {
  if (!filled.length) return h("p", { class: "quiet" }, "Nothing traded yet.");
  return table("My trades", [brief("interval"), brief("traded"), num("price"), num("metered"), num("money"), num("saved"), col("state")], filled.map((fill) => ({ cells: [
    f.moment(fill.start), tradedOf(fill), f.price(fill.price),
    fill.metered === null ? f.none : `${f.energy(fill.metered)}${fill.estimated ? " (estimated)" : ""}`,
    fill.contract_money === null ? f.none : f.money(String(Number(fill.contract_money) + Number(fill.imbalance_money))), f.money(fill.saving), fill.fate,
  ] })));
}

function orderTable(ordered) {
  if (!ordered.length) return h("p", { class: "quiet" }, "No orders yet.");
  const say = (step) => `${step.side} up to ${f.energy(step.quantity)} at ${f.price(step.price)}${step.filled ? `, got ${f.energy(step.filled)}` : ""}`;
  return table("My orders", [brief("interval"), col("state"), col("offers")], ordered.map((order) => ({
    cells: [f.moment(order.start), order.fate, order.steps.map((step) => h("div", null, say(step)))],
  })));
}
