// Charts drawn by hand in SVG, each with a table that says the same.
import { h, s, table } from "./dom.js";

const HALF = 470;
const LEFT = 46;
const RIGHT = 8;
const TOP = 14;
const BOTTOM = 24;

export function scale(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

function rounded(limit) {
  if (!(limit > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(limit));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= limit - 1e-12);
}

// bars: [{label, values: [{value, color, faint, name}], mark}], each group stacked away from zero.
export function bars({ title, groups, height = 190, show, ticks = 6, now = null, line = null, WIDE = HALF }) {
  const ups = groups.map((group) => group.values.reduce((sum, each) => sum + Math.max(0, each.value || 0), 0));
  const downs = groups.map((group) => group.values.reduce((sum, each) => sum + Math.min(0, each.value || 0), 0));
  const bands = groups.flatMap((group) => [...(group.band || []), group.mark || 0]);
  const high = rounded(Math.max(0, ...ups, ...bands));
  const low = -rounded(Math.max(0, ...downs.map((each) => -each), ...bands.map((each) => -each)));
  const bottomless = downs.every((each) => each === 0) && bands.every((each) => each >= 0);
  const topless = ups.every((each) => each === 0) && bands.every((each) => each <= 0);
  const y = scale(bottomless ? 0 : low, topless ? 0 : high, height - BOTTOM, TOP);
  const step = (WIDE - LEFT - RIGHT) / Math.max(1, groups.length);
  const width = Math.max(1.5, step * 0.68);
  const drawn = groups.flatMap((group, index) => {
    const x = LEFT + index * step + (step - width) / 2;
    let [up, down] = [0, 0];
    const parts = group.values.filter((each) => each.value).map((each) => {
      const start = each.value > 0 ? up : down;
      const end = start + each.value;
      if (each.value > 0) up = end; else down = end;
      const [top, foot] = [y(Math.max(start, end)), y(Math.min(start, end))];
      return s("rect", { x, width, y: top, height: Math.max(1, foot - top), rx: Math.min(3, width / 3), fill: each.color, opacity: each.faint ? 0.4 : 1 },
        s("title", null, `${group.label}: ${each.name} ${show(each.value)}`));
    });
    const band = group.band ? s("line", { x1: x + width / 2, x2: x + width / 2, y1: y(group.band[0]), y2: y(group.band[1]), stroke: "currentColor", "stroke-width": 1.5, opacity: 0.55 }) : null;
    const mark = group.mark === null || group.mark === undefined ? null : s("line", { x1: x - width * 0.18, x2: x + width * 1.18, y1: y(group.mark), y2: y(group.mark), stroke: "var(--mates)", "stroke-width": 4, "stroke-linecap": "round" },
      s("title", null, `${group.label}: contracted ${show(group.mark)}`));
    return [...parts, band, mark];
  });
  const steps = [bottomless ? null : low, 0, topless ? null : high].filter((each) => each !== null);
  const every = Math.max(1, Math.ceil(groups.length / ticks));
  return s("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": title },
    steps.map((each) => [s("line", { class: each === 0 ? "zero" : "axis", x1: LEFT, x2: WIDE - RIGHT, y1: y(each), y2: y(each) }),
      s("text", { x: LEFT - 7, y: y(each) + 4, "text-anchor": "end" }, show(each))]),
    drawn,
    line ? line(scale, { step, left: LEFT, top: TOP, bottom: height - BOTTOM }) : null,
    now === null ? null : s("line", { class: "now", x1: LEFT + now * step, x2: LEFT + now * step, y1: TOP - 6, y2: height - BOTTOM }),
    groups.map((group, index) => index % every === 0
      ? s("text", { x: LEFT + index * step + step / 2, y: height - 6, "text-anchor": "middle" }, group.label) : null));
}

// lines: [{name, color, values: [number|null], step, dash, wide}] over labels.
export function lines({ title, labels, series, height = 190, show, ticks = 6, band = null, now = null, floor = null, WIDE = HALF }) {
  const all = [...series.flatMap((each) => each.values), ...(band ? [...band.low, ...band.high] : [])].filter((each) => each !== null && each !== undefined);
  let low = floor !== null ? floor : Math.min(0, ...all);
  let high = Math.max(...all, low + 1);
  high = high > 0 ? rounded(high) : 0;
  low = low < 0 ? -rounded(-low) : low;
  const step = (WIDE - LEFT - RIGHT) / Math.max(1, labels.length);
  const y = scale(low, high, height - BOTTOM, TOP);
  const x = (index) => LEFT + index * step;
  const path = (values) => {
    let pen = false;
    return values.map((value, index) => {
      if (value === null || value === undefined) { pen = false; return ""; }
      const move = pen ? "L" : "M";
      pen = true;
      return `${move}${x(index).toFixed(1)} ${y(value).toFixed(1)}L${x(index + 1).toFixed(1)} ${y(value).toFixed(1)}`;
    }).join("");
  };
  const every = Math.max(1, Math.ceil(labels.length / ticks));
  const middle = (low + high) / 2;
  return s("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": title },
    [low, middle, high].map((each) => [s("line", { class: each === 0 ? "zero" : "axis", x1: LEFT, x2: WIDE - RIGHT, y1: y(each), y2: y(each) }),
      s("text", { x: LEFT - 7, y: y(each) + 4, "text-anchor": "end" }, show(each))]),
    band ? labels.map((label, index) => band.low[index] === null || band.high[index] === null ? null
      : s("rect", { class: "band", x: x(index), width: step, y: y(band.high[index]), height: Math.max(1, y(band.low[index]) - y(band.high[index])), fill: band.color })) : null,
    series.map((each) => s("path", { d: path(each.values), fill: "none", stroke: each.color, "stroke-width": each.wide || 2, "stroke-dasharray": each.dash || null, "stroke-linejoin": "round" })),
    now === null ? null : s("line", { class: "now", x1: x(now), x2: x(now), y1: TOP - 6, y2: height - BOTTOM }),
    labels.map((label, index) => index % every === 0
      ? s("text", { x: x(index) + step / 2, y: height - 6, "text-anchor": "middle" }, label) : null));
}

// The merit order: demand falling, supply rising, and where they meet.
export function merit({ title, buys, sells, price, height = 300, show, showQuantity, WIDE = matchMedia("(max-width: 720px)").matches ? HALF : 940 }) {
  const total = (steps) => steps.reduce((sum, each) => sum + each.quantity, 0);
  const most = Math.max(total(buys), total(sells), 1);
  const prices = [...buys, ...sells].map((each) => each.price);
  const low = Math.min(0, ...prices);
  const high = rounded(Math.max(...prices, 1) * 1.05);
  const x = scale(0, most, LEFT, WIDE - RIGHT);
  const y = scale(low, high, height - BOTTOM, TOP);
  const side = (steps, color, word) => {
    let at = 0;
    return steps.map((each) => {
      const from = at;
      at += each.quantity;
      const filled = each.quantity ? each.filled / each.quantity : 0;
      const top = Math.min(y(each.price), y(0));
      const tall = Math.max(2, Math.abs(y(each.price) - y(0)));
      const say = `${each.member} ${word} ${showQuantity(each.quantity)} at ${show(each.price)}, ${showQuantity(each.filled)} filled`;
      return s("g", null, s("title", null, say),
        each.mine ? s("rect", { x: x(from), width: Math.max(1, x(at) - x(from)), y: top, height: tall, fill: color, opacity: 0.3 }) : null,
        filled > 0 ? s("rect", { x: x(from), width: Math.max(1, (x(at) - x(from)) * filled), y: top, height: tall, fill: color, opacity: 0.16 }) : null,
        s("path", { d: `M${x(from)} ${y(each.price)}H${x(at)}`, stroke: color, "stroke-width": each.mine ? 7 : 3, "stroke-linecap": "butt" }));
    });
  };
  return s("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": title },
    [low, (low + high) / 2, high].map((each) => [s("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: y(each), y2: y(each) }),
      s("text", { x: LEFT - 7, y: y(each) + 4, "text-anchor": "end" }, show(each))]),
    side(buys, "var(--buy)", "buys up to"), side(sells, "var(--sell)", "sells up to"),
    price === null || price === undefined ? null : [s("line", { class: "now", x1: LEFT, x2: WIDE - RIGHT, y1: y(price), y2: y(price) }),
      s("text", { x: WIDE - RIGHT, y: y(price) - 5, "text-anchor": "end" }, `price ${show(price)}`)],
    [0, 0.5, 1].map((part) => s("text", { x: x(most * part), y: height - 6, "text-anchor": part === 1 ? "end" : part ? "middle" : "start" }, showQuantity(most * part))));
}

export const legend = (...items) => h("ul", { class: "legend" }, items.map(([color, text]) =>
  h("li", null, h("i", { style: { background: color } }), text)));

export const asTable = (caption, headings, rows) => h("details", { class: "table" },
  h("summary", null, "As a table"), table(caption, headings, rows));
