// Ledger: blocks and who signed them, the own feed, proofs to take away, and the audit.
import { get, send } from "./api.js";
import { h, replace, card, table, brief, col, num } from "./dom.js";
import * as f from "./format.js";

export const title = "Ledger";

export async function open({ notice }) {
  const blocks = h("div");
  const feed = h("div");
  const detail = h("div", { "aria-live": "polite" });
  const audited = h("div", { role: "status" });
  const verdict = h("div", { role: "status" });
  const what = h("select", { id: "proof-what" }, h("option", { value: "balance" }, "my balance"), h("option", { value: "fill" }, "my trade"), h("option", { value: "reading" }, "my reading"));
  const which = h("select", { id: "proof-interval" });
  const file = h("input", { type: "file", id: "proof-file" });

  async function show(height) {
    const block = await get(`blocks/${height}`);
    replace(detail, h("h3", null, `Block ${block.height}`), h("dl", { class: "facts" },
      h("dt", null, "id"), h("dd", { class: "mono" }, block.id), Object.entries(block.header).map(([name, value]) => [h("dt", null, f.words(name)), h("dd", { class: "mono" }, value)])),
    h("h3", null, `Certificate: ${block.signers} of ${block.validators} signed`),
    h("div", { class: "chips" }, block.certificate.map((each) => h("span", { class: `chip ${each.signed ? "up" : "down"}` }, each.validator, h("span", { class: "visually-hidden" }, each.signed ? " signed" : " did not sign")))));
  }
  async function renew() {
    const [kept, own, filled] = await Promise.all([get("blocks?limit=10"), get("feed?limit=16"), get("fills?limit=48")]);
    replace(blocks, kept.length ? table("Blocks", [num("height"), col("id"), brief("decided"), brief("proposed by"), num("signed"), num("traded"), col("state"), col("details")], kept.map((block) => ({ cells: [
      String(block.height), h("td", { class: "mono short" }, f.short(block.id)), f.moment(block.time), block.proposer, `${block.signers} of ${block.validators}`, f.energy(block.volume), block.fate,
      h("button", { type: "button", class: "small", onclick: () => show(block.height), "aria-label": `Show block ${block.height}` }, "Show"),
    ] }))) : h("p", { class: "quiet" }, "No block yet."));
    replace(feed, own.length ? table("My entries", [num("no."), col("kind"), col("says, kWh"), col("id"), col("state")], own.map((entry) => ({ cells: [
      String(entry.sequence), entry.kind, entry.says, h("td", { class: "mono short" }, f.short(entry.id)), h("span", { class: `pill ${entry.state === "final" ? "good" : "warn"}` }, entry.state),
    ] }))) : h("p", { class: "quiet" }, "This member has said nothing yet."));
    const chosen = which.value;
    replace(which, filled.filter((fill) => fill.fate !== "pending").map((fill) => h("option", { value: fill.interval }, f.moment(fill.start))));
    if (chosen) which.value = chosen;
  }
  async function audit() {
    replace(audited, h("p", { class: "quiet" }, "Deriving everything again …"));
    try {
      const report = await send("POST", "audits");
      replace(audited, report.verified
        ? h("p", null, h("span", { class: "pill good" }, "everything holds"), ` ${report.height} blocks, ${report.entries} entries, ${report.votes} votes, in ${f.number(report.took_ms / 1000, 1)} s.`)
        : h("p", null, h("span", { class: "pill bad" }, "does not hold"), ` ${report.where}: expected ${report.expected}, found ${report.found}`));
    } catch (fault) { replace(audited, h("p", { class: "banner" }, fault.message)); }
  }
  async function download() {
    const query = what.value === "balance" ? "" : `?interval=${which.value}`;
    const response = await fetch(`api/v1/proofs/${what.value}${query}`);
    if (!response.ok) { notice((await response.json()).error.message); return; }
    const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition"))[1];
    const link = h("a", { href: URL.createObjectURL(await response.blob()), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
    replace(verdict, h("p", null, `${name} is saved. Anyone can check it with the cell's genesis.`));
  }
  async function check() {
    if (!file.files.length) { replace(verdict, h("p", { class: "quiet" }, "Choose a proof file first.")); return; }
    try {
      const said = await send("POST", "proofs/verify", file.files[0]);
      replace(verdict, h("p", null, h("span", { class: `pill ${said.holds ? "good" : "bad"}` }, said.holds ? "holds" : "does not hold"), ` ${said.holds ? `under block ${said.height}: ` : ""}${said.says}`));
    } catch (fault) { replace(verdict, h("p", { class: "banner" }, fault.message)); }
  }
  await renew();
  replace(detail, h("p", { class: "quiet" }, "Choose a block above to see its header and who signed it."));
  const element = h("div", { class: "grid" },
    card("Blocks", "", "newest first", blocks),
    h("div", { class: "card w6" }, h("header", null, h("h2", null, "Check it yourself")),
      h("div", { class: "tools" }, h("button", { type: "button", class: "primary", onclick: audit }, "Audit this ledger")), audited,
      h("h3", null, "A proof to take away"),
      h("div", { class: "tools" }, h("label", null, "of ", what), h("label", null, "interval ", which), h("button", { type: "button", onclick: download }, "Download")),
      h("div", { class: "tools" }, h("label", null, "File ", file), h("button", { type: "button", onclick: check }, "Verify")), verdict),
    card("Chosen block", "w6", null, detail),
    card("My feed", "", "newest first", feed));
  return { element, renew };
}
