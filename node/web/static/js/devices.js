// Devices: every unit's state, health and schedule, and which layer holds it.
import { get } from "./api.js";
import { h, replace, card, table, col, num } from "./dom.js";
import { homeUseCards } from "./home-use.js";
import * as f from "./format.js";

export const title = "Devices";
const LAYERS = {
  protection: "held back by: protection", reserve: "held back by: reserve", islanding: "decided by: island operation",
  "armed-services": "held back by: armed services", connection: "held back by: connection limit", position: "follows: what was traded",
  "self-consumption": "follows: self-consumption", readiness: "prepares: expected trouble", "safe-state": "rests: safe state", "fast-response": "adds: fast grid response",
};

export async function open() {
  const units = h("div", { class: "units" });
  const services = h("div");
  const sensors = h("div");
  const schedule = h("div");
  const use = homeUseCards();
  function ders(seen) {
    replace(units, seen.units.length ? seen.units.map((unit) => drawUnit(unit, seen.binding)) : h("p", { class: "quiet" }, "No device has been seen yet."));
    replace(services, seen.services.length ? h("ul", null, seen.services.map((each) => h("li", null, each))) : h("p", { class: "quiet" }, "No grid service is armed."));
    replace(sensors, seen.sensors.length ? table("Sensors and circuits", [col("name"), col("kind"), num("value"), col("remark")], seen.sensors.map((each) => ({
      cells: [each.name, f.words(each.kind), each.value === null ? f.none : `${f.number(each.value, 1)} ${each.unit}`, each.text],
    }))) : h("p", { class: "quiet" }, "No sensor, circuit or socket is watched."));
  }
  async function renew() {
    const slots = await get("schedule?ahead=4");
    const near = slots.filter((slot) => slot.state !== "settled").slice(-8);
    replace(schedule, table("Schedule", [col("from"), col("state"), num("contracted"), num("expected"), num("metered")], near.map((slot) => ({
      cells: [f.time(slot.start), slot.state, f.energy(slot.position), f.energy(slot.expected), f.energy(slot.metered)],
    }))));
    await use.renew();
  }
  const [seen] = await Promise.all([get("ders"), renew()]);
  ders(seen);
  const element = h("div", null, units, h("div", { class: "grid", style: { "margin-top": "1rem" } },
    card("Schedule", "w6", "at the connection", schedule), card("Grid services", "w6", null, services), card("Sensors, circuits and sockets", "", null, sensors), ...use.elements));
  return { element, renew, ders };
}

function drawUnit(unit, binding) {
  const fact = (name, value) => value === null || value === undefined || value === f.none ? null : [h("dt", null, name), h("dd", null, value)];
  const soc = unit.stored_wh !== null && unit.capacity_wh ? unit.stored_wh / unit.capacity_wh : null;
  const sign = unit.power_w === null || Math.abs(unit.power_w) < 1 ? "rests" : unit.kind === "battery" ? (unit.power_w > 0 ? "discharging" : "charging") : unit.power_w > 0 ? "producing" : "using";
  return h("section", { class: "unit", "aria-label": unit.name },
    h("header", null, h("h2", null, unit.name), h("span", { class: "quiet" }, f.words(unit.type))),
    h("p", { class: "power" }, unit.power_w === null ? "not known" : f.power(Math.abs(unit.power_w))),
    h("p", null, h("span", { class: `pill ${unit.alarms.length ? "bad" : unit.power_w === null ? "warn" : "good"}` }, unit.alarms.length ? unit.alarms[0] : unit.power_w === null ? "no measurement" : sign)),
    soc === null ? null : [h("div", { class: "meter", style: { "margin-top": ".8rem" }, role: "meter", "aria-label": "state of charge", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(soc * 100) },
      h("b", { style: { width: `${(soc * 100).toFixed(1)}%` } }), unit.reserve ? h("i", { style: { left: `${unit.reserve * 100}%` } }) : null),
    h("p", { class: "quiet" }, `${f.stored(unit.stored_wh)} of ${f.stored(unit.capacity_wh)}; the mark is the reserve, ${f.percent(unit.reserve)}`)],
    h("dl", { class: "facts" },
      fact("told", unit.setpoint_w === null ? null : f.power(unit.setpoint_w)), fact("could give", unit.available_w === null ? null : f.power(unit.available_w)),
      fact("temperature", unit.temperature_c === null ? null : `${f.number(unit.temperature_c, 1)} °C`), fact("voltage", unit.voltage_v === null ? null : `${f.number(unit.voltage_v, 1)} V`),
      fact("health", unit.state_of_health === null ? null : f.percent(unit.state_of_health)), fact("power allowed", unit.power_factor === null || unit.power_factor === 1 ? null : f.percent(unit.power_factor)),
      fact("lasts at this load", unit.bridging_s === null ? null : f.span(unit.bridging_s)),
      unit.kind === "battery" && binding ? fact("now", LAYERS[binding] || binding) : null));
}
