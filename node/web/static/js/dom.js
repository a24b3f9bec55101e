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

// Live news redraw the page at any moment; what a person is at is kept: what was typed or chosen and not sent yet, where
// the cursor is, which tables are open. While a pointer or a key holds a control, it is not touched at all: the click on a
// button that was drawn anew in between would be lost.
const changed = new WeakSet();
const waiting = new Map();
let held = null;

const KEPT = "input[id]:not([type=file]), select[id], textarea[id]";
const isChoice = (control) => control.type === "checkbox" || control.type === "radio";
document.addEventListener("input", (event) => changed.add(event.target), true);
document.addEventListener("pointerdown", (event) => { held = event.target.closest?.("input, select, textarea, button") ?? null; }, true);
// The list of a select stays open after the pointer is up.
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { if (held?.tagName !== "SELECT") letGo(); }, true);
for (const name of ["change", "focusout"]) document.addEventListener(name, (event) => { if (event.target === held) letGo(); }, true);
document.addEventListener("compositionstart", (event) => { held = event.target; }, true);
document.addEventListener("compositionend", letGo, true);

function letGo() {
  held = null;
  // After what the release itself does.
  setTimeout(() => {
    const ready = [...waiting];
    waiting.clear();
    for (const [element, children] of ready) if (element.isConnected) replace(element, ...children);
  });
}

// What was typed here was sent, or given up: the next drawing shows what holds.
export function settle(element) {
  for (const each of [element, ...element.querySelectorAll(KEPT)]) changed.delete(each);
}

export function replace(element, ...children) {
  // What is drawn elsewhere could move a pressed button from under the pointer.
  if (held && held !== element && (held.tagName === "BUTTON" || element.contains(held))) { waiting.set(element, children); return; }
  waiting.delete(element);
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const before = new Map([...element.querySelectorAll(KEPT)].map((each) => [each.id, each]));
  const opened = [...element.querySelectorAll("details")].map((each) => each.open);
  const cursor = active && active.id ? cursorOf(active) : null;
  element.textContent = "";
  append(element, children);
  const after = [...element.querySelectorAll(KEPT)];
  for (const each of after) {
    const was = before.get(each.id);
    if (was && was !== each && changed.has(was) && was.type === each.type && !each.disabled) take(each, was);
  }
  element.querySelectorAll("details").forEach((each, index) => { if (opened[index]) each.open = true; });
  if (cursor) putCursor(element.querySelector(`#${CSS.escape(active.id)}`), cursor);
}

// Draws only where what it shows, told by a key, is not what stands there.
export function redraw(element, key, ...children) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  replace(element, ...children);
}

function take(control, was) {
  if (isChoice(control)) control.checked = was.checked;
  else control.value = was.value;
  changed.add(control);
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

function cursorOf(control) {
  try { return [control.selectionStart, control.selectionEnd]; } catch { return [null, null]; }
}

function putCursor(control, [start, end]) {
  if (!control) return;
  control.focus({ preventScroll: true });
  try { if (start !== null && start !== undefined) control.setSelectionRange(start, end); } catch { /* not a control with a cursor */ }
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
