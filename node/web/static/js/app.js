// The shell of the pages: navigation, state of the connection, what is fetched when.
import { get, listen } from "./api.js";
import { h, s, replace } from "./dom.js";
import { setCurrency } from "./format.js";
import * as format from "./format.js";
import * as home from "./home.js";
import * as cell from "./cell.js";
import * as market from "./market.js";
import * as devices from "./devices.js";
import * as events from "./events.js";
import * as ledger from "./ledger.js";
import * as settings from "./settings.js";
import { send } from "./api.js";
import { tellEmergency } from "./emergency.js";

const PAGES = { home, cell, market, devices, events, ledger, settings };
const ICONS = {
  home: "M3 11 12 4l9 7M6 9.5V20h12V9.5", cell: "M12 4v5M12 9H6v5M12 9h6v5M4 14h4v5H4zM16 14h4v5h-4zM10 2h4v3h-4z",
  market: "M4 19V5M4 19h16M8 15l4-5 3 3 5-7", devices: "M7 4h10v16H7zM10 8h4M12 16h.01",
  events: "M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4", ledger: "M5 4h11l3 3v13H5zM9 10h6M9 14h6",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 4.5v5M17 4.5v5h-4v-5zM7 14.5v5h4v-5z",
};
const store = { status: null, flows: null, ders: null, reachable: false, alarms: 0 };
const main = document.getElementById("main");
let shown = null;
let loading = 0;

const current = () => {
  const name = location.hash.slice(1).split("/")[0];
  return PAGES[name] ? name : "home";
};

function drawNav() {
  const here = current();
  replace(document.getElementById("nav"), Object.keys(PAGES).map((name) => h("a", {
    href: `#${name}`, "aria-current": name === here ? "page" : null,
  }, s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", fill: "none", stroke: "currentColor", "stroke-width": 1.8,
    "stroke-linecap": "round", "stroke-linejoin": "round" }, s("path", { d: ICONS[name] })),
  PAGES[name].title,
  name === "events" && store.alarms ? h("span", { class: "badge" }, store.alarms,
    h("span", { class: "visually-hidden" }, store.alarms === 1 ? " alarm stands" : " alarms stand")) : null)));
}

async function open() {
  const name = current();
  const turn = ++loading;
  document.title = `${PAGES[name].title} · ${store.status ? store.status.node : "Wattswarm"}`;
  drawNav();
  try {
    const view = await PAGES[name].open(context);
    if (turn !== loading) return;
    replace(main, h("h1", null, PAGES[name].title), view.element);
    shown = { name, view };
    main.dataset.page = name;
    tell("status", store.status);
    tell("flows", store.flows);
    tell("ders", store.ders);
  } catch (fault) {
    if (turn !== loading) return;
    shown = null;
    replace(main, h("p", { class: "banner" }, fault.message),
      h("button", { type: "button", onclick: open }, "Try again"));
  }
}

function tell(name, value) {
  if (shown && value !== null && shown.view[name]) shown.view[name](value);
}

let renewing = null;
function renewSoon() {
  // Several blocks and readings that come together are fetched once.
  clearTimeout(renewing);
  renewing = setTimeout(async () => {
    const was = shown;
    try {
      if (was && was.view.renew) await was.view.renew();
    } catch { /* the stream tells when the server is there again */ }
  }, 120);
}

async function countAlarms() {
  store.alarms = (await get("alarms?standing=true")).filter((each) => !each.acknowledged_by).length;
  drawNav();
}

function heard(name, value) {
  // The stream is the same for everybody; who may act was asked for this browser.
  if (name === "status") value.can_act = store.status ? store.status.can_act : false;
  if (name in store) store[name] = value;
  if (name === "status") drawStatus(value);
  if (name === "alarm" || name === "reset") countAlarms().catch(() => {});
  if (name === "reset") whoAmI();
  if (name === "cell-alarms" && main.dataset.page === "events") renewSoon();
  if (name === "block" || name === "meter" || name === "reset" || name === "settings") renewSoon();
  tell(name, value);
}

function drawStatus(status) {
  setCurrency(status.currency);
  document.getElementById("node-name").textContent = status.node;
  document.getElementById("cell-name").textContent = `in ${status.cell}`;
  const may = status.can_act;
  const stopped = status.mode === "emergency-stop";
  const stop = document.getElementById("stop");
  stop.hidden = !status.connected;
  stop.setAttribute("aria-label", stopped ? "Release stop" : "Emergency stop");
  replace(stop, h("span", { class: "hide-small" }, stopped ? "Release " : "Emergency "), stopped ? h("span", null, "stop") : "stop");
  if (context.may !== may) {
    context.may = may;
    renewSoon();
  }
  tellEmergency(status.emergency);
  drawState();
}

function drawState() {
  const { status, reachable } = store;
  const pill = document.getElementById("state");
  let [kind, text] = ["good", "live"];
  if (!reachable) [kind, text] = ["bad", "connection lost, trying again"];
  else if (status && !status.connected) [kind, text] = ["bad", "daemon does not answer"];
  else if (status && status.fault) [kind, text] = ["bad", "ledger does not hold"];
  else if (status && status.followed < status.height - 2) [kind, text] = ["warn", `reading the ledger, ${status.followed} of ${status.height}`];
  else if (status && status.read_only) [kind, text] = ["warn", "only reads"];
  else if (status && !status.active) [kind, text] = ["warn", "comparing with peers"];
  else if (status && status.mode === "emergency-stop") [kind, text] = ["bad", "emergency stop"];
  if (pill.textContent !== text) pill.textContent = text;
  pill.className = `pill ${kind}`;
  document.documentElement.classList.toggle("stale", !reachable);
}

function reached(yes) {
  if (yes === store.reachable) return;
  store.reachable = yes;
  drawState();
}

function cellNow() {
  if (!store.status) return null;
  const { epoch_ms: epoch, start_wall_ms: start, speed } = store.status.clock;
  return epoch + (Date.now() - start) * speed;
}

setInterval(() => {
  const now = cellNow();
  if (now === null) return;
  const iso = new Date(now).toISOString();
  document.getElementById("clock").textContent = `${format.date(iso)} ${format.time(iso)} UTC`;
  tell("tick", now);
}, 500);

function theme() {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const draw = () => { button.textContent = dark() ? "☀" : "☾"; };
  try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch { /* not kept then */ }
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.theme = root.dataset.theme; } catch { /* not kept then */ }
    draw();
  });
  draw();
}

export function notice(text, undo = null) {
  const element = document.getElementById("notice");
  replace(element, text, undo ? h("button", { type: "button", class: "small", onclick: () => { element.hidden = true; undo(); } }, "Undo") : null);
  element.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { element.hidden = true; }, 6000);
}

async function act(path, body, undo, said) {
  try {
    const answer = await send("POST", path, body);
    notice(typeof said === "function" ? said(answer) : said, typeof undo === "function" || !undo ? undo : () => act(path, undo, null, "It is as it was."));
  } catch (fault) {
    notice(fault.message);
    await whoAmI();
  }
  renewSoon();
}

async function whoAmI() {
  try {
    store.status = await get("status");
    drawStatus(store.status);
  } catch { /* the stream tells when the server is there again */ }
}

async function login(token) {
  try {
    await send("POST", "login", { token });
    notice("You are logged in.");
    await whoAmI();
  } catch (fault) {
    notice(fault.message);
  }
  renewSoon();
}

async function logout() {
  await send("POST", "logout");
  await whoAmI();
  renewSoon();
}

// A dangerous change says what it does and is confirmed.
function confirmed(title, text, yes, then) {
  const dialog = document.getElementById("dialog");
  replace(dialog, h("form", { method: "dialog" }, h("h2", null, title), h("p", null, text), h("div", { class: "buttons" },
    h("button", { type: "submit", value: "no" }, "Cancel"), h("button", { type: "submit", value: "yes", class: "stop" }, yes))));
  dialog.onclose = () => { if (dialog.returnValue === "yes") then(); };
  dialog.returnValue = "";
  dialog.showModal();
}

document.getElementById("stop").addEventListener("click", () => {
  if (!context.may) {
    location.hash = "settings";
    notice("Log in with an owner's token first.");
    return;
  }
  if (store.status.mode === "emergency-stop") {
    confirmed("Release the emergency stop?", "The batteries and the roof go back to work at once, and the node trades again.", "Release", () =>
      act("mode", { mode: "grid-support" }, { mode: "emergency-stop" }, "The stop is released."));
  } else {
    confirmed("Emergency stop?", "Every battery rests and the roof feeds nothing in, at once and until you release it. The house stays on the grid. What was contracted is not delivered and is settled at the tariff.", "Stop now", () =>
      act("mode", { mode: "emergency-stop" }, { mode: "grid-support" }, "Everything is stopped."));
  }
});

const acknowledgeOfCell = (alarm) => act(`cell-alarms/${alarm.id}/acknowledge`, {}, null, "The node signs that it was seen; the page shows it in a moment.");
const acknowledge = (alarm) => act(`alarms/${alarm.number}/acknowledge`, {}, null, "The alarm is marked as seen.");
const context = { store, cellNow, notice, renew: renewSoon, act, login, logout, confirmed, acknowledge, acknowledgeOfCell, may: false };
theme();
window.addEventListener("hashchange", () => open().then(() => main.focus({ preventScroll: true })));
get("status").then((status) => { store.status = status; drawStatus(status); }).catch(() => {}).finally(() => {
  open();
  listen(heard, reached);
  countAlarms().catch(() => {});
});
