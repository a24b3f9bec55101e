// A line above every page while the cell is in an emergency: by whose word, and what that means at home.
import { h } from "./dom.js";

const WORDS = {
  members: "more members than may lie see that the public grid is gone",
  dso: "the grid operator has declared it",
};

let shown = null;

export function tellEmergency(by) {
  if (by === (shown ? shown.dataset.by : null)) return;
  if (shown) shown.remove();
  shown = by ? h("p", { id: "emergency", class: "alarm critical center", role: "alert" },
    h("strong", null, "The cell is in an emergency: "), `${WORDS[by] || by}. Nothing passes the grid connection; batteries do not charge, and what can wait waits.`) : null;
  if (!shown) return;
  shown.dataset.by = by;
  document.querySelector(".frame").before(shown);
}
