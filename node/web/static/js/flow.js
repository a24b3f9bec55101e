// The diagram of power that moves: what makes, what uses, what stores, and who is behind the meter's other side.
import { s } from "./dom.js";
import { power, percent, stored } from "./format.js";

const HOME = [310, 214];
const PLACES = {
  pv: { at: [310, 66], name: "Sun", color: "var(--sun)", icon: "M0-13v-5M0 13v5M-13 0h-5M13 0h5M-9-9l-4-4M9 9l4 4M-9 9l-4 4M9-9l4-4M7 0a7 7 0 1 1-14 0a7 7 0 1 1 14 0" },
  battery: { at: [90, 214], name: "Battery", color: "var(--battery)", icon: "M-9-12h18v26h-18zM-4-16h8v4h-8zM2-7l-6 9h8l-6 8" },
  flywheel: { at: [90, 306], name: "Flywheel", color: "var(--spin)", icon: "M14 0a14 14 0 1 1-28 0a14 14 0 1 1 28 0M4 0a4 4 0 1 1-8 0a4 4 0 1 1 8 0M0-14v10M12 7l-9-5M-12 7l9-5" },
  generator: { at: [90, 306], name: "Generator", color: "var(--sell)", icon: "M-14-8h28v18h-28zM-8 10v5M8 10v5M-3-5l-4 7h7l-3 6" },
  neighbours: { at: [530, 122], name: "Neighbours", color: "var(--mates)", icon: "M-16 12v-14l8-7l8 7v14zM0 12v-11l8-7l8 7v11zM-10 12v-6h4v6" },
  grid: { at: [530, 306], name: "Grid", color: "var(--grid)", icon: "M0-17l-9 34M0-17l9 34M-7-7h14M-10 2h20M-13 14l21-10M13 14l-21-10" },
};
const RADIUS = 38;
const IDLE_W = 15;

function routed([x, y]) {
  const bend = x === HOME[0] ? (y + HOME[1]) / 2 : HOME[1] - (HOME[1] - y) * 0.25;
  return `M${x} ${y}Q${(x + HOME[0]) / 2} ${bend} ${HOME[0]} ${HOME[1]}`;
}

export function flowDiagram() {
  const parts = {};
  const drawing = s("svg", { class: "flow", viewBox: "20 0 580 380", role: "img", "aria-label": "Power flow" });
  const wires = s("g");
  const discs = s("g");
  drawing.append(wires, discs);
  for (const [key, place] of Object.entries(PLACES)) {
    const route = routed(place.at);
    const run = s("path", { class: "run", d: route, stroke: place.color });
    const wire = s("path", { class: "wire", d: route });
    // Above the house the value stands beside its disc, so that no wire runs through it.
    const beside = place.at[0] === HOME[0];
    const value = s("text", beside ? { x: RADIUS + 12, y: 5, class: "start" } : { y: RADIUS + 22 }, "–");
    const name = s("text", { class: "name", y: -RADIUS - 9 }, place.name);
    const level = s("rect", { class: "level", x: -RADIUS, width: 2 * RADIUS, y: RADIUS, height: 0, fill: place.color, "clip-path": `url(#clip-${key})` });
    const group = s("g", { transform: `translate(${place.at[0]} ${place.at[1]})` },
      s("clipPath", { id: `clip-${key}` }, s("circle", { r: RADIUS - 2 })),
      s("circle", { class: "disc", r: RADIUS, stroke: place.color }), level,
      s("path", { class: "icon", d: place.icon, stroke: place.color }), name, value);
    wires.append(wire, run);
    discs.append(group);
    const place_at = (y) => {
      group.setAttribute("transform", `translate(${place.at[0]} ${y})`);
      for (const each of [wire, run]) each.setAttribute("d", routed([place.at[0], y]));
    };
    parts[key] = { wire, run, value, group, name, level, place: place_at };
  }
  const used = s("text", { y: 79 }, "–");
  const share = s("text", { class: "name", y: 101 }, "");
  discs.append(s("g", { transform: `translate(${HOME[0]} ${HOME[1]})` },
    s("circle", { class: "disc", r: 56, stroke: "var(--home)" }),
    s("path", { class: "icon", d: "M-24 2L0-20L24 2M-17-4v24h34v-24M-6 20v-13h12v13", stroke: "var(--home)" }), used, share));

  function show(key, watts, present) {
    const part = parts[key];
    for (const element of [part.group, part.wire, part.run]) element.toggleAttribute("hidden", !present);
    if (!present) return;
    part.value.textContent = watts === null ? "not known" : power(Math.abs(watts));
    const moves = watts !== null && Math.abs(watts) > IDLE_W;
    part.run.classList.toggle("on", moves);
    part.run.classList.toggle("back", moves && watts < 0);
    if (moves) part.run.style.setProperty("--pace", `${Math.max(0.35, Math.min(2.2, 1400 / Math.abs(watts))).toFixed(2)}s`);
  }

  function update(flows) {
    const known = flows.measured_at !== null;
    show("pv", flows.pv_w, flows.pv_w !== null);
    // Two stores share the left side; one alone stands in its middle.
    parts.battery.place(flows.flywheel_w !== null || flows.generator_w !== null ? 122 : 214);
    show("battery", flows.battery_w, flows.battery_w !== null || (flows.capacity_wh !== null && flows.flywheel_w === null));
    show("flywheel", flows.flywheel_w, flows.flywheel_w !== null);
    show("generator", flows.generator_w, flows.generator_w !== null && flows.flywheel_w === null);
    // What comes from outside is drawn towards the house.
    show("neighbours", flows.neighbours_w === null ? null : -flows.neighbours_w, true);
    show("grid", flows.grid_w === null ? null : -flows.grid_w, true);
    used.textContent = flows.load_w === null ? "–" : power(-flows.load_w);
    share.textContent = known ? "used" : "";
    const soc = flows.stored_wh !== null && flows.capacity_wh ? flows.stored_wh / flows.capacity_wh : null;
    parts.battery.name.textContent = soc === null ? "Battery" : `Battery ${percent(soc)}`;
    const tall = soc === null ? 0 : 2 * RADIUS * Math.max(0, Math.min(1, soc));
    parts.battery.level.setAttribute("y", RADIUS - tall);
    parts.battery.level.setAttribute("height", tall);
    drawing.setAttribute("aria-label", spoken(flows));
  }
  return { element: drawing, update };
}

function spoken(flows) {
  if (flows.measured_at === null) return "Power flow: nothing is measured now.";
  const parts = [`the house uses ${power(flows.load_w === null ? null : -flows.load_w)}`];
  if (flows.pv_w !== null) parts.push(`the sun gives ${power(flows.pv_w)}`);
  if (flows.battery_w !== null) parts.push(`the battery ${flows.battery_w >= 0 ? "gives" : "takes"} ${power(Math.abs(flows.battery_w))} and holds ${stored(flows.stored_wh)}`);
  if (flows.neighbours_w !== null) parts.push(`${power(Math.abs(flows.neighbours_w))} ${flows.neighbours_w > 0 ? "to" : "from"} neighbours`);
  if (flows.grid_w !== null) parts.push(`${power(Math.abs(flows.grid_w))} ${flows.grid_w > 0 ? "to" : "from"} the grid`);
  return `Power flow: ${parts.join(", ")}.`;
}
