// What the utility says through its VTN: prices, limits and requests that hold or come. Hidden where it says nothing.
import { get } from "./api.js";
import { h, replace, card } from "./dom.js";

export function utilityCard() {
  const words = h("div", { class: "story" });
  const element = card("From the utility", "w12", null, words);
  element.hidden = true;

  async function renew() {
    const told = await get("utility");
    element.hidden = told.said.length === 0;
    const now = told.said.filter((each) => each.holds);
    const later = told.said.filter((each) => !each.holds);
    replace(words,
      now.map((each) => h("p", { class: "lead", title: each.event }, each.text, ".")),
      later.length ? [h("h3", null, "Announced"), h("ul", { class: "advice" }, later.map((each) => h("li", { title: each.event }, each.text, ".")))] : null,
      told.note ? h("p", { class: "quiet" }, told.note) : null);
  }
  return { element, renew };
}
