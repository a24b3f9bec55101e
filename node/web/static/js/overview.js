// All nodes of a testnet side by side; each card leads to the node's own page.
import { h, replace } from "./dom.js";
import { priceChart, volumeChart } from "./market.js";
import { setCurrency } from "./format.js";
import * as f from "./format.js";

const EVERY_MS = 1000;
const place = (id) => document.getElementById(id);
const cards = new Map();
let newest = null;

function cardOf(name) {
  if (!cards.has(name)) {
    const card = h("section", { class: "card", "aria-label": name });
    cards.set(name, card);
    place("nodes").append(card);
  }
  return cards.get(name);
}

const row = (name, watts, words) => watts === null ? null
  : [h("dt", null, name), h("dd", null, Math.abs(watts) < 15 ? "rests" : `${words[watts > 0 ? 0 : 1]} ${f.power(Math.abs(watts))}`)];

function drawCard(card, name, seen) {
  if (!seen) { replace(card, h("h2", null, name), h("p", { class: "quiet" }, "starting")); return; }
  const { status, flows, today } = seen;
  const good = status.connected && status.active;
  const soc = flows.stored_wh !== null && flows.capacity_wh ? flows.stored_wh / flows.capacity_wh : null;
  replace(card,
    h("header", null, h("h2", null, h("a", { href: `nodes/${name}/` }, name)),
      h("span", { class: `pill ${good ? "good" : "warn"}` }, good ? `block ${status.height}` : status.connected ? "comparing" : "daemon silent")),
    h("p", { class: "power" }, flows.load_w === null ? f.none : f.power(-flows.load_w), h("span", { class: "quiet small" }, ` used${status.branch ? `, branch ${status.branch}` : ""}`)),
    soc === null ? null : h("div", { class: "meter", role: "meter", "aria-label": "state of charge", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(soc * 100) }, h("b", { style: { width: `${(soc * 100).toFixed(1)}%` } })),
    h("dl", { class: "facts" }, row("sun", flows.pv_w, ["gives", "takes"]), row("battery", flows.battery_w, ["gives", "takes"]),
      row("neighbours", flows.neighbours_w, ["sends", "gets"]), row("grid", flows.grid_w, ["sends", "gets"]),
      h("dt", null, "saved today"), h("dd", null, f.money(today.saved))));
}

function drawTotals(nodes) {
  const all = nodes.filter(Boolean);
  const sum = (name) => all.reduce((total, each) => total + (each.flows[name] || 0), 0);
  const tile = (name, value) => h("div", { class: "tile" }, h("dt", null, name), h("dd", null, value));
  replace(place("totals"), tile("Used", f.power(-sum("load_w"))), tile("From the sun", f.power(sum("pv_w"))),
    tile("Batteries", `${f.power(Math.abs(sum("battery_w")))} ${sum("battery_w") >= 0 ? "out" : "in"}`),
    tile("Through the substation", f.power(Math.abs(sum("connection_w")))));
}

async function look() {
  try {
    const seen = await (await fetch("api/overview")).json();
    const nodes = Object.entries(seen.nodes);
    const first = nodes.map(([, each]) => each).find(Boolean);
    if (first) {
      setCurrency(first.status.currency);
      place("cell").textContent = first.status.cell;
      place("unit").textContent = f.priceUnit();
      place("clock").textContent = f.moment(first.status.clock.cell_time);
    }
    for (const [name, each] of nodes) drawCard(cardOf(name), name, each);
    drawTotals(nodes.map(([, each]) => each));
    const last = seen.prices.length ? `${seen.prices.at(-1).interval} ${seen.prices.at(-1).fate}` : "none";
    if (last !== newest) {
      newest = last;
      replace(place("prices"), priceChart(seen.prices));
      replace(place("volumes"), volumeChart(seen.prices));
    }
    place("state").textContent = "live";
    place("state").className = "pill good";
  } catch {
    place("state").textContent = "the testnet has ended, or does not answer";
    place("state").className = "pill bad";
  }
  setTimeout(look, EVERY_MS);
}
look();
