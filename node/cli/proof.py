"""Shell: `wattswarm ledger prove` and `check-proof`: one fact of a ledger in a small file, and its check."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ledger.errors import InvalidProof, PeerError
from ledger.limits import KEY_BYTES
from ledger.proofs.light_proof import LIGHT_PROOF_BYTES, LightProof
from ledger.records.genesis import Genesis, member_id
from market.light_statement import ProvedBalance, ProvedFill, ProvedReading, Statement, statement_of
from market.payloads import Quality
from market.rules import CellRules, decode_rules
from market.units import NS_PER_S, kwh_text, money_text, price_text
from node.errors import InputRefusedError
from node.exit_codes import ExitCode
from node.views.ledger_view import read_at_most, read_genesis
from node.views.proving import What
from node.views.proving import prove as make_proof

LATEST_S = 253_402_300_799
"""The last second of the year 9999, where calendars of people end."""


def prove(
    directory: Path,
    /,
    *,
    member: str,
    interval: int | None = None,
    what: What = What.BALANCE,
    out: Path | None = None,
) -> None:
    """Write a proof of one fact about a member: small, and checked with nothing but the cell's genesis.

    Examples:

        wattswarm ledger prove ./home-7 --member home-3 --what balance
        wattswarm ledger prove ./home-7 --member home-3 --interval 29920353 --what fill --out fill.proof

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node is asked.
    member
        The member's name, or the start of its id.
    interval
        The index of the interval. A balance is the one after the block that covers it; without it, after the last.
    what
        balance, fill (what the member contracted for the interval) or reading (what its meter counted in it).
    out
        The file to write; without it, WHAT-MEMBER-INTERVAL.proof in this directory.
    """
    proof = make_proof(directory, member, what, interval)
    data = proof.encode()
    path = out or Path(f"{what.value}-{member}-{'last' if interval is None else interval}.proof")
    path.write_bytes(data)
    header = proof.certified.header
    sys.stdout.write(
        f"{path}: {len(data)} bytes, under block {header.height} of cell {proof.cell_id.hex()}\n"
    )


def check_proof(
    file: Path,
    /,
    *,
    genesis: Path,
    witness: tuple[str, ...] = (),
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Check a proof file with nothing but the genesis of its cell, and say what it proves.

    Exit status 0 when it holds, 1 with the first thing wrong otherwise.

    Example: wattswarm ledger check-proof fill.proof --genesis genesis.cbor

    Parameters
    ----------
    file
        The proof, as `wattswarm ledger prove` wrote it.
    genesis
        The cell's genesis.cbor. It alone is trusted: have it from somebody else than the proof.
    witness
        The key, in hexadecimal, of a witness that must have cosigned the block; may be given several times.
    as_json
        Print the result as one JSON object.
    """
    keys = [_witness_key(text) for text in witness]
    founded = read_genesis(genesis)
    rules = decode_rules(founded.application)
    data = read_at_most(file, LIGHT_PROOF_BYTES + 1)
    try:
        proof = LightProof.decode(data)
        proof.check(founded)
        told = _told(founded, rules, proof, statement_of(proof))
        _require_witnesses(proof, keys)
    except PeerError as fault:
        if as_json:
            sys.stdout.write(json.dumps({"proved": False, "failure": str(fault)}) + "\n")
        else:
            sys.stdout.write(f"{file}: DOES NOT HOLD: {fault}\n")
        sys.exit(ExitCode.FAILED)
    if as_json:
        sys.stdout.write(json.dumps({"proved": True, **told, "failure": None}) + "\n")
    else:
        sys.stdout.write(f"{file}: holds\n" + "".join(f"  {_line(key, told[key])}\n" for key in told))


def _witness_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InputRefusedError(f"--witness {text}: a key has {2 * KEY_BYTES} hexadecimal digits")
    return key


def _require_witnesses(proof: LightProof, keys: list[bytes]) -> None:
    seen = {each.signer for each in proof.cosignatures()}
    for key in keys:
        if key not in seen:
            raise InvalidProof(f"witness {key.hex()} has not cosigned block {proof.certified.header.height}")


def _told(genesis: Genesis, rules: CellRules, proof: LightProof, statement: Statement) -> dict[str, Any]:
    """What is proved, in the units that people read, in the order that they read it."""
    header, certificate = proof.certified.header, proof.certified.certificate
    return {
        **_stated(rules, statement, header.last_interval),
        "member": _name(genesis, statement.member),
        "member_id": statement.member.hex(),
        "cell": genesis.cell_name.decode(),
        "cell_id": proof.cell_id.hex(),
        "block": header.height,
        "block_id": certificate.block_id.hex(),
        "block_time": _time(header.time_ns),
        "signatures": len(certificate.signers),
        "validators": len(certificate.signatures),
        "validator_changes": len(proof.links),
        "witnesses": [
            {"key": each.signer.hex(), "time": _time(each.time_ns)} for each in proof.cosignatures()
        ],
    }


def _stated(rules: CellRules, statement: Statement, last_interval: int) -> dict[str, Any]:
    match statement:
        case ProvedBalance(balance=balance):
            return {
                "what": "balance",
                **_interval(rules, last_interval),
                "balance": money_text(balance),
                "currency": rules.currency,
            }
        case ProvedFill():
            if statement.branch not in range(len(rules.branches)):
                raise InvalidProof(f"the cell has no branch {statement.branch}")
            return {
                "what": "fill",
                **_interval(rules, statement.interval),
                "position_kwh": kwh_text(statement.position),
                "price_per_kwh": None if statement.price is None else price_text(statement.price),
                "currency": rules.currency,
                "branch": rules.branches[statement.branch].name,
                "fills": [
                    {
                        "side": fill.side.name.lower(),
                        "limit_price_per_kwh": price_text(fill.limit_price),
                        "offered_kwh": kwh_text(fill.offered),
                        "filled_kwh": kwh_text(fill.filled),
                    }
                    for fill in statement.fills
                ],
                "stands": statement.stands,
            }
        case ProvedReading(reading=reading):
            return {
                "what": "reading",
                **_interval(rules, statement.interval),
                "injected_kwh": kwh_text(reading.contribution),
                "withdrawn_kwh": kwh_text(reading.consumption),
                "estimated": reading.quality is Quality.ESTIMATED,
                "entry_id": statement.entry_id.hex(),
            }


def _interval(rules: CellRules, interval: int) -> dict[str, Any]:
    calendar = rules.calendar
    return {
        "interval": interval,
        "interval_start": _time(calendar.start_ns(interval)),
        "interval_end": _time(calendar.end_ns(interval)),
    }


def _name(genesis: Genesis, member: bytes) -> str | None:
    """The name of a founding member; a later one's is not in the genesis."""
    return next((m.name.decode() for m in genesis.members if member_id(m.feed_key) == member), None)


def _time(time_ns: int) -> str | None:
    """Cell time as people write it, None beyond their calendar: an entry may name any interval."""
    seconds = time_ns // NS_PER_S
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds <= LATEST_S else None


def _line(key: str, value: object) -> str:
    match value:
        case None:
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case list():
            text = "; ".join(map(_phrase, value)) or "none"
        case _:
            text = str(value)
    return f"{key.replace('_', ' '):<18} {text}"


def _phrase(part: dict[str, str]) -> str:
    """A fill or a witness in words."""
    if "key" in part:
        return f"{part['key']} at {part['time']}"
    amounts = f"{part['filled_kwh']} of {part['offered_kwh']} kWh"
    return f"{part['side']} {amounts} at {part['limit_price_per_kwh']}"
