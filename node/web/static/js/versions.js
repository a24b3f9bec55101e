// Versions: what members run, which protocol the cell speaks, and what is proposed; for operators, proposing another one.
import { h, replace, settle, table, col } from "./dom.js";
import { barred, field, form, quiet, small, waits } from "./saying.js";

const numbers = (found) => found.join(", ");

export function drawVersions(element, held) {
  const stand = [h("span", { class: "pill good" }, `protocol ${held.version}`), ` after block ${held.height}. `, coming(held)];
  replace(element, h("p", null, stand), held.members.length ? table("Versions", [col("member"), col("runs"), col("standing")], held.members.map((member) => {
    const wanted = held.agreed ?? held.proposed;
    return { cells: [member.name, [member.release ?? "not heard", small(`knows protocol ${numbers(member.knows)}`)],
      wanted && !member.knows.includes(wanted.version) ? h("span", { class: "pill warn" }, member.validator ? "has to be upgraded" : "will stop") : member.validator ? "validator" : ""] };
  })) : quiet("The ledger of this node is not read yet."));
}

function coming(held) {
  if (held.agreed) return `Protocol ${held.agreed.version} holds from block ${held.agreed.height} on; nodes that lack it stop before.`;
  if (held.proposed) return `Protocol ${held.proposed.version} is proposed from block ${held.proposed.height} on, in ${Math.max(0, held.proposed.height - held.height)} blocks: ${held.proposed.supporters} of ${held.proposed.validators} validators know it, ${held.proposed.enough ? "enough" : "not enough yet"}.`;
  if (held.refused) return `No other is proposed. Protocol ${held.refused.version} was refused by block ${held.refused.at}: ${held.refused.reason}.`;
  return "No other is proposed.";
}

export function drawProposing(element, held, context) {
  const now = h("p", null, `The cell speaks protocol ${held.version}. `, coming(held));
  const fault = barred(held.fault);
  if (fault) { replace(element, now, fault); return; }
  const open = held.proposed;
  const [version, versionLabel] = field("Version", { id: "protocol-version", type: "number", min: 1, max: 2147483648, value: open ? open.version : held.version + 1 });
  const [height, heightLabel] = field("From block", { id: "protocol-height", type: "number", min: held.earliest, max: 9007199254740991, value: (open ? open.height : held.earliest) + 1000 });
  replace(element, now, small("A proposal cannot be withdrawn. A later one takes its place, so that one is put off by proposing a later block."), h("div", { class: "spaced" },
    form(open ? "Propose this instead" : "Propose it", [[versionLabel, heightLabel, small(`${held.earliest} at the earliest`)]], (shown) => {
      const body = { version: Number(version.value), height: Number(height.value) };
      context.confirmed("Propose this version?", `From block ${body.height} on every node speaks protocol ${body.version}, if more than two thirds of the validators know it two blocks before. Nodes that lack it stop trading there until they are upgraded, and there is no way back.${open ? ` The proposal for block ${open.height} is void then.` : ""} The change is signed with the cell's operator key.`, "Propose it", () => {
        settle(shown);
        context.act("protocol", body, null, waits);
      });
    })));
}
