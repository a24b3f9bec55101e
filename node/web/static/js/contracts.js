// The operators' settings about what is paid: services that the dso buys, money in and out, meters of branches.
import { get } from "./api.js";
import { h, replace, settle, card, table, brief, col, num } from "./dom.js";
import { barred, chooser, field, form, quiet, small, waits } from "./saying.js";
import * as f from "./format.js";

const READINGS_SHOWN = 8;
const kwh = (mwh) => (mwh / 1e6).toFixed(6);
const plain = (micro) => (micro / 1e6).toFixed(6);

export function contractCards() {
  const parts = Object.fromEntries(["services", "accounts", "meters"].map((name) => [name, h("div")]));
  const elements = [card("Services that are bought", "", "by a dso, from members that arm them", parts.services),
    card("Accounts, deposits and payouts", "w6", "as the ledger has them", parts.accounts), card("Meters of branches", "w6", "said by the dso", parts.meters)];

  async function renew(held, context) {
    const [services, accounts, meters] = await Promise.all([get("services"), get("accounts"), get("meters")]);
    drawServices(parts.services, held, services, context);
    drawAccounts(parts.accounts, accounts, context);
    drawMeters(parts.meters, meters, context);
  }
  return { elements, renew };
}

const bodyOf = (service, terms, from) => ({ service: service.name, requested: service.requested, from_interval: from, up_w: terms ? terms.up_w : 0, down_w: terms ? terms.down_w : 0,
  up_price: plain(terms ? terms.up_price : 0), down_price: plain(terms ? terms.down_price : 0), up_energy_price: plain(terms ? terms.up_energy_price : 0), down_energy_price: plain(terms ? terms.down_energy_price : 0) });

function servicesTable(services, held) {
  const rows = services.flatMap((service) => service.terms.map((terms, index) => ({ service, terms, now: index === 0 && terms.from_interval < held.first_interval })));
  if (!rows.length) return quiet("Nobody buys a service in this cell yet.");
  return table("Services", [col("service"), col("how"), brief("from"), num("up"), num("down"), num("capacity up / down"), num("energy up / down"), num("armed up / down")], rows.map(({ service, terms, now }) => ({
    cells: [`${service.name}${service.mine ? "" : `, by ${terms.payer}`}`, service.requested ? "on request" : "by itself", now ? "now" : f.moment(terms.start),
      f.power(terms.up_w), f.power(terms.down_w), `${f.price(terms.up_price)} / ${f.price(terms.down_price)}`, `${f.price(terms.up_energy_price)} / ${f.price(terms.down_energy_price)}`,
      now ? `${f.power(service.armed_up_w)} / ${f.power(service.armed_down_w)}` : ""],
  })));
}

function drawServices(element, held, services, context) {
  const plan = servicesTable(services, held);
  const fault = barred(held.dso);
  if (fault) { replace(element, plan, fault); return; }
  const known = Object.fromEntries(services.filter((each) => each.mine).map((each) => [each.name, each]));
  const list = h("datalist", { id: "bought-names" }, Object.keys(known).map((each) => h("option", { value: each })));
  const [name, nameLabel] = field("Service", { id: "bought-name", type: "text", maxlength: 48, pattern: "[a-z0-9\\-]+", list: "bought-names", placeholder: "village-flex", autocomplete: "off" });
  const [how, howLabel] = chooser("It is", "bought-how", [["called", "called on request"], ["itself", "a response by itself"]]);
  const number = (label, id, more) => field(label, { id, type: "number", min: 0, step: 0.000001, value: 0, ...more });
  const [up, upLabel] = number("Up", "bought-up", { step: 0.1 });
  const [down, downLabel] = number("Down", "bought-down", { step: 0.1 });
  const [upPrice, upPriceLabel] = number("Capacity up", "bought-up-price");
  const [downPrice, downPriceLabel] = number("Capacity down", "bought-down-price");
  const [upEnergy, upEnergyLabel] = number("Energy up", "bought-up-energy", { min: -999999 });
  const [downEnergy, downEnergyLabel] = number("Energy down", "bought-down-energy", { min: -999999 });
  const [from, fromLabel] = field("In intervals from now", { id: "bought-from", type: "number", min: 1, max: 10000, value: 1 });
  const currency = f.priceUnit().split("/")[0];
  replace(element, plan, list, h("div", { class: "spaced" }, form("Buy it", [[nameLabel, howLabel], [upLabel, downLabel, small("kW at most; 0 both ways ends the service")],
    [upPriceLabel, downPriceLabel, small(`${currency} for a kW and hour that is armed`)], [upEnergyLabel, downEnergyLabel, small(`${f.priceUnit()} that a member gets; negative: pays`)],
    [fromLabel, small(`1 is ${f.moment(held.first_start)}, the first that can still change`)]], (shown) => {
    const first = held.first_interval + Number(from.value) - 1;
    const service = known[name.value] ?? { name: name.value, requested: how.value === "called", terms: [] };
    const before = [...service.terms].reverse().find((terms) => terms.from_interval <= first);
    const body = { ...bodyOf(service, null, first), requested: how.value === "called", up_w: Number(up.value) * 1000, down_w: Number(down.value) * 1000,
      up_price: Number(upPrice.value).toFixed(6), down_price: Number(downPrice.value).toFixed(6), up_energy_price: Number(upEnergy.value).toFixed(6), down_energy_price: Number(downEnergy.value).toFixed(6) };
    const ends = !body.up_w && !body.down_w;
    context.confirmed(ends ? "End this service?" : "Buy this service?", ends
      ? `From interval ${first} on nobody is paid for ${name.value} any more.`
      : `From interval ${first} on your account pays members that armed ${name.value}, for up to ${f.power(body.up_w)} up and ${f.power(body.down_w)} down, and for the energy that they give.`, ends ? "End it" : "Buy it", () => {
      settle(shown);
      context.act("services", body, bodyOf({ name: name.value, requested: body.requested }, before, first), waits);
    });
  })));
}

function drawAccounts(element, held, context) {
  const NAMES = { external: "the world outside", supplier: "the supplier", community: "the community", dso: "the grid's rent and fees", losses: "losses" };
  const rows = held.accounts.filter((each) => each.member || each.name === "external" || Number(each.balance) !== 0);
  const list = rows.length ? table("Accounts", [col("account"), num("balance")], rows.map((each) => ({
    cells: [each.member ? `${each.name}${each.gone ? ", has left" : ""}` : NAMES[each.name] ?? each.name, f.money(each.balance)],
  }))) : quiet("The ledger of this node is not read yet.");
  const fault = barred(held.fault);
  if (fault) { replace(element, list, fault); return; }
  const [member, memberLabel] = chooser("Member", "deposit-member", held.accounts.filter((each) => each.member).map((each) => [each.name, each.name]));
  const [way, wayLabel] = chooser("Money", "deposit-way", [["", "came in"], ["-", "was paid out"]]);
  const [amount, amountLabel] = field("Amount", { id: "deposit-amount", type: "number", min: 0.000001, max: 1e12, step: 0.000001, placeholder: held.currency });
  replace(element, list, h("div", { class: "spaced" }, form("Book it", [[memberLabel, wayLabel], [amountLabel, small(held.currency)]], (shown) => {
    const text = Number(amount.value).toFixed(6);
    const body = { member: member.value, amount: `${way.value}${text}` };
    const opposite = { member: member.value, amount: way.value ? text : `-${text}` };
    context.confirmed(way.value ? "Pay this out?" : "Book this deposit?", way.value
      ? `${text} ${held.currency} leave the account of ${member.value}. Pay them outside of the cell: the ledger only says that it was done.`
      : `${text} ${held.currency} are added to the account of ${member.value}. Book only what came in: the ledger only says that it did.`, "Book it", () => {
      settle(shown);
      context.act("deposits", body, opposite, waits);
    });
  })));
}

function drawMeters(element, held, context) {
  const shown = held.readings.slice(0, READINGS_SHOWN);
  const list = shown.length ? table("Readings of branches", [col("branch"), num("out"), num("in")], shown.map((each) => ({
    cells: [[each.branch, small(`from ${f.moment(each.start)}`)], f.energy(each.contribution), f.energy(each.consumption)],
  }))) : quiet("No meter of a branch was read in the intervals that can still be corrected.");
  const more = held.readings.length > shown.length ? small(`and ${held.readings.length - shown.length} earlier readings`) : null;
  const fault = barred(held.fault) || (held.last === null ? small("No interval is over yet whose reading could be said.") : null);
  if (fault) { replace(element, list, more, fault); return; }
  const [branch, branchLabel] = chooser("Branch", "meter-branch", held.branches.map((each) => [each, each]));
  const [out, outLabel] = field("Out", { id: "meter-out", type: "number", min: 0, step: 0.000001, value: 0 });
  const [into, intoLabel] = field("In", { id: "meter-in", type: "number", min: 0, step: 0.000001, value: 0 });
  const [interval, intervalLabel] = field("Interval", { id: "meter-interval", type: "number", min: held.first, max: held.last, value: held.last });
  replace(element, list, more, h("div", { class: "spaced" }, form("Say the reading", [[branchLabel, intervalLabel, small(`${held.last} began ${f.moment(held.last_start)}`)], [outLabel, intoLabel, small("kWh")]], (sent) => {
    const body = { branch: branch.value, interval: Number(interval.value), contribution: Number(out.value).toFixed(6), consumption: Number(into.value).toFixed(6) };
    const before = held.readings.find((each) => each.branch === body.branch && each.interval === body.interval);
    context.confirmed("Say this reading?", `The meter of ${body.branch} counted ${body.contribution} kWh out and ${body.consumption} kWh in, in interval ${body.interval}. It is compared with what members below read, and missing readings are estimated from it: that moves money.`, "Say it", () => {
      settle(sent);
      context.act("meters", body, before ? { ...body, contribution: kwh(before.contribution), consumption: kwh(before.consumption) } : null, waits);
    });
  })));
}
