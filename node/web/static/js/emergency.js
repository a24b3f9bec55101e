// A line above every page while the cell is in an emergency: by whose word, and what that means at home.
// And, for operators of a dso's node, saying that it is in one, or in none.
import { h, replace, settle } from "./dom.js";
import { barred, field, form, quiet, waits } from "./saying.js";

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

const HOUR_S = 3600;

export function drawDeclaring(element, held, emergency, context) {
  const fault = barred(held.dso);
  const seen = emergency.sightings.filter((each) => each.counts && each.seen !== "connected").length;
  const state = emergency.by
    ? h("p", null, h("span", { class: "pill bad" }, "emergency"), ` since interval ${emergency.since}: ${WORDS[emergency.by]}.`)
    : quiet(`The public grid is there by the cell's newest block${emergency.needed ? `; ${seen} of the ${emergency.needed} that it takes see it gone` : ""}.`);
  if (fault) { replace(element, state, fault); return; }
  const [hours, hoursLabel] = field("For hours", { id: "emergency-hours", type: "number", min: 0.1, step: 0.1, value: 2 });
  const word = (gone) => ({ emergency: gone, for_s: Math.max(1, Math.round(Number(hours.value) * HOUR_S)) });
  replace(element, state,
    form("Declare an emergency", [[hoursLabel]], (shown) => {
      const body = word(true);
      context.confirmed("Declare an emergency of the cell?", `For ${hours.value} hours from the next interval whose gate is open: nothing passes the grid connection in the auction, money follows the meters at the emergency tariff, batteries do not charge and deferrable loads wait. Nobody's reserve is released.`, "Declare it", () => {
        settle(shown);
        context.act("emergency", body, { ...body, emergency: false }, waits);
      });
    }),
    h("div", { class: "tools spaced" }, h("button", { type: "button", onclick: () => {
      const body = word(false);
      context.confirmed("Say that there is no emergency?", `For ${hours.value} hours your word goes before what members see. In an outage that they do see, this takes away what the cell does about it.`, "Say so", () =>
        context.act("emergency", body, null, waits));
    } }, "There is none")));
}
