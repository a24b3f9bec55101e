// Elements without a framework: text is always text, never markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export function replace(element, ...children) {
  element.textContent = "";
  append(element, children);
}

export function card(title, size, note, ...body) {
  return h("section", { class: `card ${size}`, "aria-label": title },
    h("header", null, h("h2", null, title), note ? h("span", { class: "quiet" }, note) : null), ...body);
}

export function table(caption, headings, rows) {
  const cell = (tag, value, heading) => value instanceof Node && value.tagName === "TD" ? value
    : h(tag, { class: heading.number ? "n" : heading.short ? "short" : null, scope: tag === "th" ? "col" : null }, value);
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    h("table", null,
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", null, h("tr", null, headings.map((each) => cell("th", each.text, each)))),
      h("tbody", null, rows.map((row) =>
        h("tr", row.properties || null, row.cells.map((value, index) => cell("td", value, headings[index])))))));
}

export const col = (text) => ({ text });
export const brief = (text) => ({ text, short: true });
export const num = (text) => ({ text, number: true });
