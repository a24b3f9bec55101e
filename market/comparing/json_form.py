"""A comparison as JSON text with exact decimals: money in currency, energy in kWh."""

import json
from collections.abc import Sequence

from market.comparing.comparison import Comparison, members_with_several_orders
from market.comparing.source import AsCleared, Auctions
from market.json_text import json_list, json_object
from market.units import DECIMALS, decimal_text, kwh_text, money_text


def comparison_json(source: Auctions, compared: Sequence[Comparison]) -> str:
    """One JSON object: what was compared, the optimum, a row per mechanism, gains per member."""
    optimum = compared[0]
    members = sorted(optimum.gains, key=str)
    return json_object(
        {
            "auctions": str(len(source.auctions)),
            "orders": str(sum(len(auction.orders) for auction in source.auctions)),
            "members": str(len(members)),
            "members_with_several_orders": str(members_with_several_orders(source.auctions)),
            "optimum": json_object(
                {"welfare": money_text(optimum.welfare), "volume_kwh": kwh_text(optimum.volume)}
            ),
            "mechanisms": json_list(_row(row, optimum) for row in compared),
            "gains": json_list(
                json_object(
                    {"member": json.dumps(str(member))}
                    | {row.mechanism.value: money_text(row.gains[member]) for row in compared}
                )
                for member in members
            ),
            "as_cleared": "null" if source.as_cleared is None else _as_cleared(source.as_cleared),
        }
    )


def share(part: int, whole: int) -> int | None:
    """Millionths, rounded down; None of nothing."""
    return part * 10**DECIMALS // whole if whole else None


def _row(row: Comparison, optimum: Comparison) -> str:
    of_welfare, of_volume = share(row.welfare, optimum.welfare), share(row.volume, optimum.volume)
    paying = [lie for lie in row.lies if lie.gain]
    best = max(row.lies, key=lambda lie: lie.gain, default=None)
    return json_object(
        {
            "mechanism": json.dumps(row.mechanism.value),
            "welfare": money_text(row.welfare),
            "welfare_share": "null" if of_welfare is None else decimal_text(of_welfare, DECIMALS),
            "volume_kwh": kwh_text(row.volume),
            "volume_share": "null" if of_volume is None else decimal_text(of_volume, DECIMALS),
            "buyers_gain": money_text(row.buyers_gain),
            "sellers_gain": money_text(row.sellers_gain),
            "kept": money_text(row.kept),
            "members_who_gain": str(sum(gain > 0 for gain in row.gains.values())),
            "liars": json_object(
                {
                    "tried": str(len(row.lies)),
                    "gaining": str(len(paying)),
                    "mean_gain": money_text(sum(lie.gain for lie in paying) // max(len(row.lies), 1)),
                    "most_gain": money_text(0 if best is None else best.gain),
                    "most_gain_member": json.dumps(str(best.member) if best and best.gain else None),
                    "most_gain_shade_percent": json.dumps(best.shade if best and best.gain else None),
                }
            ),
        }
    )


def _as_cleared(sums: AsCleared) -> str:
    return json_object(
        {
            "welfare": money_text(sums.welfare),
            "volume_kwh": kwh_text(sums.volume),
            "grid_import_kwh": kwh_text(sums.grid_import),
            "grid_export_kwh": kwh_text(sums.grid_export),
        }
    )
