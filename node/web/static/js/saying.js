// What the operators' cards share: small texts, fields and forms, and why something cannot be said from this node.
import { h } from "./dom.js";

export const quiet = (text) => h("p", { class: "quiet" }, text);
export const small = (text) => h("p", { class: "quiet small" }, text);

// Why this node cannot say it; null where it can.
export const barred = (fault) => fault === "" ? null : h("p", { class: "quiet spaced" }, fault === null ? "The ledger of this node is not read yet." : `Not from this node: ${fault}.`);
export const waits = (left) => `${left.text} It holds once a block has it.`;
export const field = (label, properties) => { const input = h("input", { required: true, ...properties }); return [input, h("label", null, label, " ", input)]; };
export const chooser = (label, id, options, more = {}) => {
  const select = h("select", { id, ...more }, options.map(([value, text]) => h("option", { value }, text)));
  return [select, h("label", null, label, " ", select)];
};
export const form = (submit, rows, then) => h("form", { onsubmit: (event) => { event.preventDefault(); then(event.target); } },
  rows.map((row) => h("div", { class: "tools" }, row)), h("button", { type: "submit", class: "primary" }, submit));
