"""Shell: `wattswarm ledger`: verify and show a node's ledger, offline."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.table import Table

from ledger.audit.audit import AuditReport, verify_directory
from ledger.records.entries import decode_entry
from ledger.signing import unseal
from market.cell import EnergyCell
from market.cell_state import CellState
from market.payloads import Kind
from market.reporting.source import candidates
from market.terminal import table_console
from market.units import kwh_text, money_text, price_text
from node.cli.proof import check_proof, prove
from node.cli.statement import with_statement
from node.errors import InputRefusedError
from node.exit_codes import ExitCode
from node.views import ledger_view

app = App(name="ledger", help="Verify and show a node's ledger, offline.")

app.command(prove)
app.command(check_proof, name="check-proof")

SHORT = 16
"""Characters of an id in tables."""


@app.command
def verify(
    directory: Path,
    /,
    *,
    statement: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Derive a ledger again from nothing but its files: entries, certificates, clearing, balances.

    Exit status 0 when everything holds, 1 with the first thing wrong otherwise.

    Examples:

        wattswarm ledger verify ./demo-cell/nodes/home-01
        wattswarm ledger verify ./home-1 --statement 2026-01.json

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, all of whose nodes are verified.
    statement
        Derive this month-end statement (of `wattswarm market statement`) again as well.
    as_json
        Print the result as one JSON object.
    """
    found = candidates(directory) or [directory]
    reports = {node: verify_directory(node, EnergyCell()) for node in found}
    if statement is not None:
        reports = {node: with_statement(node, report, statement) for node, report in reports.items()}
    if as_json:
        results = [_as_json(node, report) for node, report in reports.items()]
        whole = results[0] if found == [directory] else {"verified": _all_hold(reports), "nodes": results}
        sys.stdout.write(json.dumps(whole) + "\n")
    else:
        for node, report in reports.items():
            sys.stdout.write(_as_text(node, report) + "\n")
    if not _all_hold(reports):
        sys.exit(ExitCode.FAILED)


@app.command
def show(directory: Path, what: str = "blocks", which: str | None = None, /) -> None:
    """Show a node's ledger: all blocks, one block, a member's feed, the proof of a member's balance, or its witnesses.

    A feed shows how firmly each entry stands: authored (no block has it yet), final (a block that a quorum decided
    has it), witnessed (a neighbouring cell has cosigned that block as well).

    Examples:

        wattswarm ledger show ./home-7
        wattswarm ledger show ./home-7 block 12
        wattswarm ledger show ./home-7 feed home-3
        wattswarm ledger show ./home-7 proof home-3
        wattswarm ledger show ./home-7 witnesses

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node is shown.
    what
        blocks, block, feed, proof or witnesses.
    which
        The height of a block, or a member's name or the start of its id.
    """
    if what == "blocks":
        return _show_blocks(directory)
    if what == "witnesses":
        return _show_witnesses(directory)
    if which is None or what not in ("block", "feed", "proof"):
        raise InputRefusedError(
            f"show what? {what!r}: one of blocks, block HEIGHT, feed MEMBER, proof MEMBER, witnesses"
        )
    match what:
        case "block":
            return _show_block(directory, which)
        case "feed":
            return _show_feed(directory, which)
    return _show_proof(directory, which)


def _all_hold(reports: dict[Path, AuditReport[CellState]]) -> bool:
    return all(report.verified for report in reports.values())


def _as_json(node: Path, report: AuditReport[CellState]) -> dict[str, Any]:
    failure = report.failure
    return {
        "directory": str(node),
        "verified": report.verified,
        "cell": None if report.genesis is None else report.genesis.cell_id.hex(),
        "blocks": 0 if report.tip is None else report.tip.height,
        "base": report.base,
        "last_block": None if report.tip is None else report.tip.header_id.hex(),
        "entries": report.entries,
        "votes": report.votes,
        "evidence": report.evidence,
        "guarded": report.guarded,
        "sealed": report.sealed,
        "failure": None
        if failure is None
        else {"where": failure.where, "expected": failure.expected, "found": failure.found},
    }


def _as_text(node: Path, report: AuditReport[CellState]) -> str:
    height = 0 if report.tip is None else report.tip.height
    if report.failure is not None:
        failure = report.failure
        return (
            f"{node}: DOES NOT HOLD (after {height} good blocks)\n  where:    {failure.where}\n"
            f"  expected: {failure.expected}\n  found:    {failure.found}"
        )
    assert report.tip is not None
    last = report.tip.header_id.hex()
    unguarded = (
        "" if report.guarded else "; without its sign guard: rows lost at the end would not be noticed"
    )
    blocks = f"{height} blocks" if not report.base else f"blocks {report.base + 1} to {height}"
    rows = f"{blocks}, {report.entries} entries, {report.votes} votes"
    pruned = "" if not report.base else f"; verified from the certified snapshot of block {report.base} on"
    return f"{node}: holds: {rows}; last block {last}{pruned}{unguarded}"


def _show_blocks(directory: Path) -> None:
    table = Table()
    for heading in (
        "height",
        "id",
        "intervals",
        "time (cell)",
        "round",
        "signers",
        "heads moved",
        "volume kWh",
    ):
        table.add_column(heading, justify="right")
    for replayed in ledger_view.blocks(directory):
        header, certificate = replayed.block.header, replayed.certificate
        signers = sum(signature is not None for signature in certificate.signatures)
        table.add_row(
            str(header.height),
            replayed.tip.header_id.hex()[:SHORT],
            f"{header.first_interval}..{header.last_interval}",
            _time(header.time_ns),
            str(certificate.round),
            f"{signers}/{len(certificate.signatures)}",
            str(len(replayed.block.heads)),
            kwh_text(ledger_view.clearing_of(replayed).volume),
        )
    table_console().print(table)


def _show_block(directory: Path, which: str) -> None:
    replayed = next((r for r in ledger_view.blocks(directory) if str(r.tip.height) == which), None)
    if replayed is None:
        raise InputRefusedError(f"{directory}: has no block {which}")
    console = table_console()
    names = {member.id: member.name.decode() for member in replayed.tip.membership.everyone}
    for field, value in ledger_view.header_fields(replayed):
        console.print(f"{field:>24}  {value}", highlight=False)
    table = Table(title="heads that moved", title_justify="left")
    for heading in ("member", "incarnation", "sequence", "id"):
        table.add_column(heading)
    for head in replayed.block.heads:
        table.add_row(names[head.member], str(head.incarnation), str(head.sequence), head.id.hex()[:SHORT])
    console.print(table)
    clearing = ledger_view.clearing_of(replayed)
    branches = replayed.tip.state.rules.branches
    prices = ", ".join(
        f"{branch.name} {'-' if price is None else price_text(price)}"
        for branch, price in zip(branches, clearing.prices, strict=True)
    )
    console.print(f"interval {clearing.interval}: {kwh_text(clearing.volume)} kWh traded; prices {prices}")
    for part in clearing.members:
        console.print(f"  {names[part.member]}: net position {kwh_text(part.position)} kWh")


def _show_feed(directory: Path, which: str) -> None:
    table = Table()
    for heading in ("sequence", "kind", "interval", "time (cell)", "says, kWh", "id", "state"):
        table.add_column(heading)
    view = ledger_view.feed_view(directory, which)
    for signed_id, envelope in view.entries:
        entry = decode_entry(unseal(envelope, len(envelope))[0])
        kind = Kind(entry.kind).name.lower() if entry.kind in set(Kind) else str(entry.kind)
        says = ledger_view.payload_text(entry)
        row = (str(entry.sequence), kind, str(entry.interval), _time(entry.time_ns), says)
        table.add_row(*row, signed_id.hex()[:SHORT], view.state_of(entry))
    table_console().print(table)


def _show_witnesses(directory: Path) -> None:
    table = Table()
    for heading in ("witness", "cosigned up to block", "root of the log", "at (its clock)"):
        table.add_column(heading)
    for each in ledger_view.cosignatures(directory):
        root = each.checkpoint.root.hex()
        table.add_row(each.signer.hex()[:SHORT], str(each.checkpoint.size), root[:SHORT], _time(each.time_ns))
    table_console().print(table)


def _show_proof(directory: Path, which: str) -> None:
    proof = ledger_view.balance_proof(directory, which)
    proof.verify()
    header, certificate = proof.replayed.block.header, proof.replayed.certificate
    signers = sum(signature is not None for signature in certificate.signatures)
    lines = [
        f"member      {proof.member.name.decode()} ({proof.member.id.hex()})",
        f"balance     {money_text(proof.balance)} {proof.replayed.tip.state.rules.currency}",
        f"leaf key    {proof.leaf.key.hex()}",
        f"leaf value  {proof.leaf.value.hex()}",
        f"leaf        {proof.leaf.path.index} of {proof.leaf.path.size}",
        *(f"path        {node.hex()}" for node in proof.leaf.path.path),
        f"state root  {header.state_root.hex()} of block {header.height}",
        f"block       {proof.replayed.tip.header_id.hex()}",
        f"certificate round {certificate.round}, {signers} of {len(certificate.signatures)} validators signed",
        "The path leads from the leaf to the state root: the balance is proved.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"
