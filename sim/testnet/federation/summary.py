"""Shell: what came of a testnet of several cells: every ledger verified, every transfer compared on both sides."""

from typing import TypedDict

from market.rules import decode_rules
from market.units import ENERGY_PER_KWH, PRICE_PER_UNIT
from sim.testnet.federation.crossings import CellLedger, Crossing, crossings, read_cell
from sim.testnet.federation.founding import FoundedCells
from sim.testnet.processes import Daemon
from sim.testnet.run import SETTLING_INTERVALS
from sim.testnet.summary import agreed, audit


class CellSummary(TypedDict):
    """One cell of the run; `prices` are those at its root by interval, currency per kWh, null where none."""

    name: str
    nodes: int
    blocks: int
    agreed: bool
    verified: bool
    faults: dict[str, str]
    money_sums_to_zero: bool
    prices: dict[str, float | None]
    exit_statuses: dict[str, int]
    directory: str


class TransferSummary(TypedDict):
    """One transfer; energies kWh, positive from the street into the district, prices currency per kWh."""

    interval: int
    street: str
    contracted_kwh: float
    price_in_district: float | None
    filled_kwh: float
    price_in_street: float | None
    proven: bool
    fault: str | None


class CellsSummary(TypedDict):
    """A run: `ok` is that all cells agree and verify, and that what crossed was proven and as it was decided.

    `transferred_kwh` is what streets gave to the district; `without_proof` counts what the district decided and no
    proof brought into the street in time, so that nothing crossed.
    """

    ok: bool
    intervals: int
    currency: str
    cells: list[CellSummary]
    transfers: list[TransferSummary]
    transferred_kwh: float
    proofs_verified: int
    without_proof: int
    faults: list[str]
    directory: str


def summarise_cells(
    founded: FoundedCells, daemons: list[list[Daemon]], statuses: dict[str, int], intervals: int
) -> CellsSummary:
    """Verify every ledger, read what crossed from one node of each cell, and compare.

    `daemons` are those of the cells in their order, `statuses` what each ended with by name.
    """
    last = founded.district.first_interval + intervals - 1 + SETTLING_INTERVALS
    ledgers: list[CellLedger] = []
    cells: list[CellSummary] = []
    for name, prepared, mine in zip(founded.names, founded.cells, daemons, strict=True):
        verdicts = audit(prepared.nodes)
        faults = {verdict.name: verdict.fault for verdict in verdicts if verdict.fault is not None}
        if not faults:
            ledgers.append(read_cell(name, prepared.nodes[-1]))
        covered = all(daemon.view.interval >= last for daemon in mine)
        cells.append(
            {
                "name": name,
                "nodes": len(prepared.nodes),
                "blocks": len(verdicts[0].block_ids),
                "agreed": covered and agreed(verdicts),
                "verified": not faults,
                "faults": faults,
                "money_sums_to_zero": not any(verdict.money for verdict in verdicts),
                "prices": {} if faults else _prices(ledgers[-1]),
                "exit_statuses": {daemon.name: statuses[daemon.name] for daemon in mine},
                "directory": str(prepared.directory),
            }
        )
    found = crossings(ledgers[0], ledgers[1:]) if len(ledgers) == len(cells) else []
    wrong = [f"{each.street}, interval {each.interval}: {each.fault}" for each in found if each.fault]
    sound = all(
        cell["agreed"]
        and cell["verified"]
        and cell["money_sums_to_zero"]
        and not any(cell["exit_statuses"].values())
        for cell in cells
    )
    return {
        "ok": sound and not wrong,
        "intervals": intervals,
        "currency": decode_rules(founded.district.genesis.application).currency,
        "cells": cells,
        "transfers": [_told(each) for each in found],
        "transferred_kwh": sum(max(0, each.filled) for each in found) / ENERGY_PER_KWH,
        "proofs_verified": sum(each.proven for each in found),
        "without_proof": sum(not each.proven for each in found),
        "faults": wrong,
        "directory": str(founded.district.directory.parent),
    }


def _prices(ledger: CellLedger) -> dict[str, float | None]:
    return {str(interval): _price(cleared.price) for interval, cleared in sorted(ledger.cleared.items())}


def _price(price: int | None) -> float | None:
    return None if price is None else price / PRICE_PER_UNIT


def _told(crossing: Crossing) -> TransferSummary:
    return {
        "interval": crossing.interval,
        "street": crossing.street,
        "contracted_kwh": crossing.contracted / ENERGY_PER_KWH,
        "price_in_district": _price(crossing.price_above),
        "filled_kwh": crossing.filled / ENERGY_PER_KWH,
        "price_in_street": _price(crossing.price),
        "proven": crossing.proven,
        "fault": crossing.fault,
    }
