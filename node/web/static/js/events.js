// Events: alarms by severity, and the node's log with filter and export.
import { get } from "./api.js";
import { h, replace, card, table, brief, col } from "./dom.js";
import * as f from "./format.js";

export const title = "Events";

export async function open(context) {
  const standing = h("div");
  const log = h("div");
  const filter = h("input", { type: "search", id: "filter", oninput: () => drawLog() });
  let lines = [];
  function drawLog() {
    const wanted = filter.value.toLowerCase();
    const kept = lines.filter((line) => `${line.event} ${line.text}`.toLowerCase().includes(wanted));
    replace(log, kept.length ? table("Event log", [brief("time"), col("what happened")], kept.slice(0, 200).map((line) => ({
      cells: [`${f.date(line.time)} ${f.timeExact(line.time)}`, [h("strong", null, f.words(line.event)), h("div", { class: "quiet small" }, line.text)]],
    }))) : h("p", { class: "quiet" }, lines.length ? "Nothing matches." : "Nothing has happened yet."));
  }
  async function renew() {
    const [alarms, events] = await Promise.all([get("alarms?limit=60"), get("events?limit=500")]);
    lines = events;
    replace(standing, alarms.length ? alarms.map((alarm) => drawAlarm(alarm, context)) : h("p", null, h("span", { class: "pill good" }, "No alarm stands, and none has.")));
    drawLog();
  }
  await renew();
  const element = h("div", { class: "grid" }, card("Alarms", "", null, standing),
    h("section", { class: "card", "aria-label": "Log" }, h("header", null, h("h2", null, "Log")),
      h("div", { class: "tools" }, h("label", null, "Filter ", filter),
        h("button", { type: "button", onclick: () => save(lines) }, "Export as CSV")), log));
  return { element, renew, alarm: renew, event: () => context.renew() };
}

function drawAlarm(alarm, context) {
  const over = alarm.cleared_at !== null;
  return h("article", { class: `alarm ${over ? "over" : alarm.severity}` },
    h("span", { class: `pill ${over ? "" : alarm.severity === "critical" ? "bad" : "warn"}` }, over ? "over" : alarm.severity),
    h("div", null, h("strong", null, `${f.words(alarm.code)}${alarm.device ? `: ${alarm.device}` : ""}`), h("p", null, alarm.text),
      h("p", { class: "quiet" }, `since ${f.moment(alarm.raised_at)}`, over ? ` until ${f.time(alarm.cleared_at)}` : "", alarm.acknowledged_by ? `; seen by ${alarm.acknowledged_by}` : "")),
    !over && !alarm.acknowledged_by && context.may ? h("button", { type: "button", onclick: () => context.acknowledge(alarm) }, "Acknowledge") : h("span"));
}

function save(lines) {
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
  const text = ["time,event,details", ...lines.map((line) => [line.time, line.event, line.text].map(quoted).join(","))].join("\r\n");
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "events.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}
