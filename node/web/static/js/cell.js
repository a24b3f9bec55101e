// Cell: the feeder as a tree, the members, how agreement goes, and the countdown of the interval.
import { get } from "./api.js";
import { h, replace, card, table, col, num } from "./dom.js";
import { drawVersions } from "./versions.js";
import * as f from "./format.js";

export const title = "Cell";

export async function open({ store }) {
  const tree = h("div");
  const people = h("div");
  const versions = h("div");
  const health = h("dl", { class: "facts" });
  const counting = h("div", { class: "countdown" }, f.none);
  const countNote = h("p", { class: "quiet" });
  const of = h("span", { class: "quiet" });

  async function renew() {
    const [feeder, members, blocks, protocol] = await Promise.all([get("feeder"), get("members"), get("blocks?limit=20"), get("protocol")]);
    of.textContent = feeder.interval === null ? "no auction yet" : `contracted for ${f.time(feeder.start)}`;
    replace(tree, drawTree(feeder, members));
    replace(people, drawMembers(members));
    drawVersions(versions, protocol);
    drawHealth(health, store.status, blocks);
  }
  await renew();
  const element = h("div", { class: "grid" },
    h("section", { class: "card w7", "aria-label": "Feeder" }, h("header", null, h("h2", null, "Feeder"), of), tree),
    h("div", { class: "card w5" }, h("header", null, h("h2", null, "This interval")), counting, countNote,
      h("h3", { class: "quiet" }, "Agreement"), health),
    card("Members", "", null, people), card("Versions", "", "what members run, and the protocol of the cell", versions));
  return {
    element, renew,
    status: (status) => { const peers = health.querySelector("[data-peers]"); if (peers) peers.textContent = `${status.peers.length} of ${status.members - 1}`; },
    tick: (now) => drawCountdown(counting, countNote, store.status, now),
  };
}

function drawCountdown(counting, note, status, now) {
  if (!status || !status.interval_s) return;
  const length = status.interval_s * 1000;
  const left = (length - (now % length)) / 1000;
  const gate = ((length - ((now + status.gate_lead_s * 1000) % length)) / 1000);
  counting.textContent = f.span(left);
  const speed = status.clock.speed === 1 ? "" : ` The clock runs ${status.clock.speed} times faster here.`;
  note.textContent = `until the interval ends; the next gate closes in ${f.span(gate)}.${speed}`;
}

function drawHealth(element, status, blocks) {
  const tried = blocks.filter((block) => block.round === 0).length;
  const last = blocks[0];
  const fact = (name, value, mark) => [h("dt", null, name), h("dd", mark ? { [mark]: "" } : null, value)];
  replace(element,
    fact("height", last ? String(last.height) : "0"),
    fact("signed the last block", last ? `${last.signers} of ${last.validators}` : f.none),
    fact("needed", status ? `${status.quorum}; ${status.tolerates} may be faulty` : f.none),
    fact("decided at first try", blocks.length ? `${tried} of ${blocks.length}` : f.none),
    fact("took, last time", status && status.agreement_ms !== null ? `${f.number(status.agreement_ms)} ms` : f.none),
    fact("connected to", status ? `${status.peers.length} of ${status.members - 1}` : f.none, "data-peers"));
}

function drawTree(feeder, members) {
  const children = (parent) => feeder.branches.filter((branch) => branch.parent === parent);
  const drawn = (branch) => h("li", null, drawBranch(branch, members),
    children(branch.name).length ? h("ul", null, children(branch.name).map(drawn)) : null);
  const limit = feeder.grid_w === null ? null : feeder.grid_w < 0 ? feeder.import_limit_w : feeder.export_limit_w;
  return [h("div", { class: "branch" }, h("div", { class: "row" }, h("strong", null, "Public grid"),
    h("span", null, feeder.grid_w === null ? f.none : Math.abs(feeder.grid_w) < 1 ? "nothing crosses" : `${feeder.grid_w < 0 ? "gives" : "takes"} ${f.power(Math.abs(feeder.grid_w))}`)),
  meter("grid connection", feeder.grid_w, limit)),
  h("ul", { class: "tree" }, children(null).map(drawn))];
}

function meter(name, flow, limit) {
  if (limit === null || flow === null || limit === 0) return h("p", { class: "quiet" }, limit === null ? "no limit" : "");
  const share = Math.min(1, Math.abs(flow) / limit);
  return [h("div", { class: `meter ${share > 0.999 ? "full" : share > 0.8 ? "hot" : ""}`, role: "meter", "aria-label": `${name}: load`, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100) },
    h("b", { style: { width: `${(share * 100).toFixed(1)}%` } })),
  h("p", { class: "quiet" }, `${f.percent(share)} of ${f.power(limit)}`, share > 0.999 ? ": at its limit, so prices differ across it" : "")];
}

function drawBranch(branch, members) {
  const flow = branch.flow_w === null ? f.none : Math.abs(branch.flow_w) < 1 ? "balanced" : `${f.power(Math.abs(branch.flow_w))} ${branch.flow_w > 0 ? "out ↑" : "in ↓"}`;
  const state = (name) => members.find((member) => member.name === name);
  return h("div", { class: `branch ${branch.mine ? "mine" : ""}` },
    h("div", { class: "row" }, h("strong", null, branch.name, branch.mine ? " (yours)" : ""), h("span", null, flow),
      h("span", null, branch.price === null ? "no price" : `${f.price(branch.price)} ${f.priceUnit()}`)),
    meter(branch.name, branch.flow_w, branch.limit_w),
    branch.set_by_dso ? h("p", { class: "pill warn" }, "limit set by the grid operator") : null,
    h("div", { class: "chips" }, branch.members.map((name) => {
      const member = state(name);
      const up = member ? member.up : null;
      return h("span", { class: `chip ${up === null ? "" : up ? "up" : "down"} ${member && member.mine ? "me" : ""}` }, name,
        h("span", { class: "visually-hidden" }, up === null ? " not known" : up ? " up" : " down"));
    })));
}

function drawMembers(members) {
  return table("Members of the cell", [col("name"), col("branch"), col("roles"), col("state"), num("signed"), num("can give"), num("can take"), num("charge")],
    members.map((member) => ({ properties: { class: member.mine ? "mine" : null }, cells: [
      member.mine ? `${member.name} (you)` : member.name, member.branch || f.none, member.roles.join(", "),
      member.frozen ? "frozen" : member.up === null ? "not known" : member.up ? "up" : "down",
      member.commits === null ? f.none : `${member.commits_signed} of ${member.commits}`,
      f.power(member.headroom_up_w), f.power(member.headroom_down_w), f.percent(member.state_of_charge),
    ] })));
}
