// Events: the node's live alarms, those of the whole cell from the ledger, and the node's log with filter and export.
import { get } from "./api.js";
import { h, replace, card, table, brief, col } from "./dom.js";
import * as f from "./format.js";

export const title = "Events";

export async function open(context) {
  const standing = h("div");
  const cell = h("div");
  const log = h("div");
  const filter = h("input", { type: "search", id: "filter", oninput: () => drawLog() });
  const over = h("input", { type: "checkbox", id: "over", onchange: () => drawCell() });
  let lines = [];
  let ofCell = [];
  function drawLog() {
    const wanted = filter.value.toLowerCase();
    const kept = lines.filter((line) => `${line.event} ${line.text}`.toLowerCase().includes(wanted));
    replace(log, kept.length ? table("Event log", [brief("time"), col("what happened")], kept.slice(0, 200).map((line) => ({
      cells: [`${f.date(line.time)} ${f.timeExact(line.time)}`, [h("strong", null, f.words(line.event)), h("div", { class: "quiet small" }, line.text)]],
    }))) : h("p", { class: "quiet" }, lines.length ? "Nothing matches." : "Nothing has happened yet."));
  }
  function drawCell() {
    const kept = ofCell.filter((alarm) => over.checked || stands(alarm) || !alarm.acknowledged_at);
    replace(cell, kept.length ? kept.slice(0, 60).map((alarm) => drawCellAlarm(alarm, context))
      : h("p", null, h("span", { class: "pill good" }, ofCell.length ? "No alarm of the cell is open." : "No member has said an alarm.")));
  }
  async function renew() {
    const [alarms, events, all] = await Promise.all([get("alarms?limit=60"), get("events?limit=500"), get("cell-alarms?limit=500")]);
    [lines, ofCell] = [events, all];
    replace(standing, alarms.length ? alarms.map((alarm) => drawAlarm(alarm, context)) : h("p", null, h("span", { class: "pill good" }, "No alarm stands, and none has.")));
    drawCell();
    drawLog();
  }
  await renew();
  const element = h("div", { class: "grid" }, card("Alarms of this node", "w6", "live", standing),
    h("section", { class: "card w6", "aria-label": "Alarms of the cell" }, h("header", null, h("h2", null, "Alarms of the cell"),
      h("label", { class: "quiet small" }, over, " also those that are over")), cell),
    h("section", { class: "card", "aria-label": "Log" }, h("header", null, h("h2", null, "Log")),
      h("div", { class: "tools" }, h("label", null, "Filter ", filter),
        h("button", { type: "button", onclick: () => save(lines, ofCell) }, "Export as CSV")), log));
  return { element, renew, alarm: renew, event: () => context.renew() };
}

const stands = (alarm) => !alarm.momentary && alarm.cleared_at === null;
const named = (alarm) => `${f.words(alarm.code)}${alarm.device ? `: ${alarm.device}` : ""}`;
const pill = (alarm, gone) => h("span", { class: `pill ${gone ? "" : alarm.severity === "critical" ? "bad" : "warn"}` }, gone ? "over" : alarm.severity);

function drawAlarm(alarm, context) {
  const gone = alarm.cleared_at !== null;
  return h("article", { class: `alarm ${gone ? "over" : alarm.severity}` }, pill(alarm, gone),
    h("div", null, h("strong", null, named(alarm)), h("p", null, alarm.text),
      h("p", { class: "quiet" }, `since ${f.moment(alarm.raised_at)}`, gone ? ` until ${f.time(alarm.cleared_at)}` : "", alarm.acknowledged_by ? `; seen by ${alarm.acknowledged_by}` : "")),
    !gone && !alarm.acknowledged_by && context.may ? h("button", { type: "button", onclick: () => context.acknowledge(alarm) }, "Acknowledge") : h("span"));
}

function drawCellAlarm(alarm, context) {
  const gone = !stands(alarm);
  const when = alarm.momentary ? `at ${f.moment(alarm.raised_at)}` : `since ${f.moment(alarm.raised_at)}${alarm.cleared_at ? ` until ${f.moment(alarm.cleared_at)}` : ""}`;
  return h("article", { class: `alarm ${gone ? "over" : alarm.severity}` }, pill(alarm, gone),
    h("div", null, h("strong", null, `${alarm.member}${alarm.mine ? " (you)" : ""}: ${named(alarm)}`),
      h("p", { class: "quiet" }, when, alarm.acknowledged_by ? `; acknowledged by ${alarm.acknowledged_by}` : "; nobody has acknowledged it")),
    alarm.may_acknowledge && context.may ? h("button", { type: "button", "aria-label": `Acknowledge ${named(alarm)} of ${alarm.member}`, onclick: () => context.acknowledgeOfCell(alarm) }, "Acknowledge") : h("span"));
}

// What happened to the cell's alarms, as lines of the log.
function alarmLines(alarms) {
  return alarms.flatMap((alarm) => [
    [alarm.raised_at, "alarm raised", `${alarm.severity}, id ${alarm.id}`],
    [alarm.cleared_at, "alarm cleared", `id ${alarm.id}`],
    [alarm.acknowledged_at, "alarm acknowledged", `by ${alarm.acknowledged_by}, id ${alarm.id}`],
  ].filter(([time]) => time).map(([time, event, more]) => ({ time, event, text: `${alarm.member}: ${named(alarm)}; ${more}` })));
}

function save(lines, alarms) {
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
  const rows = [...lines, ...alarmLines(alarms)].sort((one, other) => new Date(other.time) - new Date(one.time));
  const text = ["time,event,details", ...rows.map((line) => [line.time, line.event, line.text].map(quoted).join(","))].join("\r\n");
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "events.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}
