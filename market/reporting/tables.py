"""A report as tables and as JSON: the border where exact integers become decimals that people read.

In tables energies are kWh with six decimals and money is currency with twelve, both exact decimals. In JSON
they are numbers in the same units.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from market.cross_check import Mismatch
from market.reporting.energy_flows import energy_flows, name_of
from market.reporting.report import IntervalReport, MemberReport, Report
from market.units import ENERGY_PER_KWH, MONEY_PER_UNIT, PRICE_PER_UNIT, decimal_text

KWH = pl.Decimal(20, 6)
PRICE = pl.Decimal(20, 6)
MONEY = pl.Decimal(38, 12)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, object]


def report_tables(report: Report) -> dict[str, pl.DataFrame]:
    """Four tables by name: intervals, branches (one row per interval and branch), members, settlements."""
    return {
        "intervals": _intervals(report),
        "branches": _branches(report),
        "members": _members(report),
        "settlements": _settlements(report),
    }


def report_json(report: Report) -> Json:
    """The report as JSON values: totals, intervals, members, and who supplied whom."""
    return {
        "cell": report.cell,
        "cell_id": report.cell_id.hex(),
        "currency": report.currency,
        "interval_s": report.interval_s,
        "blocks": report.blocks,
        "totals": _totals_json(report),
        "intervals": [_interval_json(interval) for interval in report.intervals],
        "members": [_member_json(member) for member in report.members],
        "flows": [
            {
                "from": name_of(report, flow.source),
                "to": name_of(report, flow.target),
                "kwh": kwh(flow.energy),
            }
            for flow in energy_flows(report)
        ],
        "mismatches": [_mismatch_json(report, mismatch) for mismatch in report.mismatches],
    }


def kwh(energy: int) -> float:
    """Energy in kWh for display."""
    return energy / ENERGY_PER_KWH


def unit_price(price: int | None) -> float | None:
    """Price in currency per kWh for display."""
    return None if price is None else price / PRICE_PER_UNIT


def units(money: int) -> float:
    """Money in currency for display."""
    return money / MONEY_PER_UNIT


def share(part: int, whole: int) -> float | None:
    """A share between 0 and 1, None of nothing."""
    return part / whole if whole else None


def start_time(interval: IntervalReport) -> datetime:
    """When the interval starts, UTC; intervals start on whole seconds."""
    return EPOCH + timedelta(microseconds=interval.start_ns // 1000)


def _totals_json(report: Report) -> Json:
    money = sum(member.money for member in report.members)
    tariff = sum(member.tariff_money for member in report.members)
    fates = [interval.fate.value for interval in report.intervals]
    return {
        "intervals": len(report.intervals),
        **{fate: fates.count(fate) for fate in ("traded", "quiet", "void", "pending", "skipped")},
        "settled": sum(interval.settled for interval in report.intervals),
        "volume_kwh": kwh(sum(interval.volume for interval in report.standing)),
        "between_members_kwh": kwh(sum(interval.between_members for interval in report.standing)),
        "consumption_kwh": kwh(report.consumption),
        "contribution_kwh": kwh(report.contribution),
        "self_sufficiency": share(report.local, report.consumption),
        "self_consumption": share(report.local, report.contribution),
        "money": units(money),
        "tariff_money": units(tariff),
        "saving": units(money - tariff),
        "congestion_rent": units(sum(interval.rent for interval in report.intervals)),
        "supplier": units(sum(interval.supplier for interval in report.intervals)),
        "community": units(sum(interval.community for interval in report.intervals)),
        "estimated_readings": sum(member.estimated for member in report.members),
    }


def _interval_json(interval: IntervalReport) -> Json:
    return {
        "interval": interval.interval,
        "start": start_time(interval).isoformat(),
        "fate": interval.fate.value,
        "settled": interval.settled,
        "import_price": unit_price(interval.tariff.import_price),
        "export_price": unit_price(interval.tariff.export_price),
        "prices": {branch.name: unit_price(branch.price) for branch in interval.branches},
        "quotes": {
            branch.name: {"bid": unit_price(branch.best_bid), "ask": unit_price(branch.best_ask)}
            for branch in interval.branches
        },
        "flows": {branch.name: kwh(branch.flow) for branch in interval.branches},
        "volume_kwh": kwh(interval.volume),
        "between_members_kwh": kwh(interval.between_members),
        "grid_import_kwh": kwh(interval.grid_import),
        "grid_export_kwh": kwh(interval.grid_export),
        "congestion_rent": units(interval.rent),
        "supplier": units(interval.supplier),
        "community": units(interval.community),
        "consumption_kwh": kwh(interval.consumption),
        "contribution_kwh": kwh(interval.contribution),
        "self_sufficiency": share(interval.local, interval.consumption),
        "self_consumption": share(interval.local, interval.contribution),
    }


def _member_json(member: MemberReport) -> Json:
    return {
        "member": member.name,
        "id": member.id.hex(),
        "branch": member.branch,
        "intervals": member.intervals,
        "estimated_readings": member.estimated,
        "bought_kwh": kwh(member.bought),
        "sold_kwh": kwh(member.sold),
        "consumption_kwh": kwh(member.consumption),
        "contribution_kwh": kwh(member.contribution),
        "imbalance_kwh": kwh(member.imbalance),
        "imbalance_absolute_kwh": kwh(member.imbalance_absolute),
        "contract_money": units(member.contract_money),
        "imbalance_money": units(member.imbalance_money),
        "money": units(member.money),
        "tariff_money": units(member.tariff_money),
        "saving": units(member.saving),
        "deposits": units(member.deposits),
        "balance": units(member.balance),
    }


def _mismatch_json(report: Report, mismatch: Mismatch) -> Json:
    return {
        "interval": mismatch.interval,
        "branch": report.intervals[0].branches[mismatch.branch].name,
        "metered_kwh": kwh(mismatch.metered),
        "members_kwh": kwh(mismatch.summed),
        "members": [report.name_of(member) for member in mismatch.members],
    }


def _intervals(report: Report) -> pl.DataFrame:
    rows = report.intervals
    return pl.DataFrame(
        [
            pl.Series("interval", [row.interval for row in rows], pl.Int64),
            pl.Series("start", [start_time(row) for row in rows], pl.Datetime("us", "UTC")),
            pl.Series("fate", [row.fate.value for row in rows], pl.String),
            pl.Series("settled", [row.settled for row in rows], pl.Boolean),
            _decimals("import_price", (row.tariff.import_price for row in rows), PRICE),
            _decimals("export_price", (row.tariff.export_price for row in rows), PRICE),
            _decimals("volume_kwh", (row.volume for row in rows), KWH),
            _decimals("between_members_kwh", (row.between_members for row in rows), KWH),
            _decimals("grid_import_kwh", (row.grid_import for row in rows), KWH),
            _decimals("grid_export_kwh", (row.grid_export for row in rows), KWH),
            _decimals("consumption_kwh", (row.consumption for row in rows), KWH),
            _decimals("contribution_kwh", (row.contribution for row in rows), KWH),
            _decimals("congestion_rent", (row.rent for row in rows), MONEY),
            _decimals("supplier", (row.supplier for row in rows), MONEY),
            _decimals("community", (row.community for row in rows), MONEY),
        ]
    )


def _branches(report: Report) -> pl.DataFrame:
    rows = [(interval.interval, branch) for interval in report.intervals for branch in interval.branches]
    return pl.DataFrame(
        [
            pl.Series("interval", [interval for interval, _ in rows], pl.Int64),
            pl.Series("branch", [branch.name for _, branch in rows], pl.String),
            _decimals("price", (branch.price for _, branch in rows), PRICE),
            _decimals("flow_kwh", (branch.flow for _, branch in rows), KWH),
            _decimals("best_bid", (branch.best_bid for _, branch in rows), PRICE),
            _decimals("best_ask", (branch.best_ask for _, branch in rows), PRICE),
        ]
    )


def _members(report: Report) -> pl.DataFrame:
    rows = report.members
    energies = ("bought", "sold", "consumption", "contribution", "imbalance", "imbalance_absolute")
    monies = (
        "contract_money",
        "imbalance_money",
        "money",
        "tariff_money",
        "saving",
        "deposits",
        "balance",
    )
    return pl.DataFrame(
        [
            pl.Series("member", [row.name for row in rows], pl.String),
            pl.Series("id", [row.id.hex() for row in rows], pl.String),
            pl.Series("branch", [row.branch for row in rows], pl.String),
            pl.Series("intervals", [row.intervals for row in rows], pl.Int64),
            pl.Series("estimated_readings", [row.estimated for row in rows], pl.Int64),
            *(_decimals(f"{name}_kwh", (getattr(row, name) for row in rows), KWH) for name in energies),
            *(_decimals(name, (getattr(row, name) for row in rows), MONEY) for name in monies),
        ]
    )


def _settlements(report: Report) -> pl.DataFrame:
    rows = report.lines
    return pl.DataFrame(
        [
            pl.Series("interval", [row.interval for row in rows], pl.Int64),
            pl.Series("member", [report.name_of(row.member) for row in rows], pl.String),
            _decimals("contracted_kwh", (row.contracted for row in rows), KWH),
            _decimals("contribution_kwh", (row.contribution for row in rows), KWH),
            _decimals("consumption_kwh", (row.consumption for row in rows), KWH),
            _decimals("imbalance_kwh", (row.imbalance for row in rows), KWH),
            _decimals("passed_on_kwh", (row.passed_on for row in rows), KWH),
            _decimals("price", (row.price for row in rows), PRICE),
            _decimals("contract_money", (row.contract_money for row in rows), MONEY),
            _decimals("imbalance_money", (row.imbalance_money for row in rows), MONEY),
            pl.Series("estimated", [row.estimated for row in rows], pl.Boolean),
            pl.Series("corrected", [row.correction for row in rows], pl.Boolean),
        ]
    )


def _decimals(name: str, values: Iterable[int | None], kind: pl.Decimal) -> pl.Series:
    """An exact decimal column of integers in the smallest unit."""
    exact = [None if value is None else Decimal(decimal_text(value, kind.scale)) for value in values]
    return pl.Series(name, exact, kind)
