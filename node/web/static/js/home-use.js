// What the hub of this home has learned: its demand as the owner lets it be seen, and to the owner what could be saved.
import { get } from "./api.js";
import { h, replace, card, table, col, num } from "./dom.js";
import * as f from "./format.js";

const LATEST = 12;

export function homeUseCards() {
  const words = h("div");
  const demand = h("div");
  const advice = card("What this home could save", "w6", "in a year, at the supplier's prices", words);
  const seen = card("Demand of this home", "w6", null, demand);
  advice.hidden = seen.hidden = true;

  async function renew() {
    const told = await get("home-use");
    const young = told.circuits.filter((each) => !each.whole_day).map((each) => each.name);
    advice.hidden = told.circuits.length === 0;
    replace(words,
      told.advice.length ? h("ul", { class: "advice" }, told.advice.map((each) => h("li", null, each.text, saving(each))))
        : h("p", { class: "quiet" }, "Nothing to advise by what is known."),
      young.length ? h("p", { class: "quiet" }, `Not watched for a whole day yet: ${young.join(", ")}.`) : null);
    seen.hidden = told.rows.length === 0;
    replace(demand, told.rows.length ? table("Demand of this home", [col("from"), col("circuit"), num("drawn")], told.rows.slice(-LATEST).reverse().map((row) => ({
      cells: [f.moment(row.start), row.name || "all together", `${f.number(row.energy_wh)} Wh`],
    }))) : null);
  }
  return { elements: [advice, seen], renew };
}

function saving(each) {
  if (each.saves_money >= 0.005) return h("b", null, ` ${f.money(each.saves_money)}`);
  return each.saves_kwh >= 0.5 ? h("b", null, ` ${f.number(each.saves_kwh)} kWh`) : null;
}
