"""Scenario: a campus loses the public grid for hours, with and without a cell that forms its own.

The batteries of the campus, one of which forms; its loads by tier, a solar roof, and a bus whose voltage and frequency
follow from what is connected. The state machines of `devices/resilience` run in one-second steps as a node runs them.
The owners' reserve serves critical loads only. Without the cell these have what a UPS of their own holds. W and Wh,
loads as positive numbers.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from devices.resilience.black_start import Block
from devices.resilience.islanding import GridReading
from devices.resilience.modes import OperatingMode, State
from devices.resilience.node_resilience import IslandOrders, Resilience, SiteRules, Situation
from devices.resilience.synchronising import TwoSides, steered_hz
from devices.resilience.tiers import Supply
from devices.tier import Tier
from sim.grid.result import Chart, Figure, Result

NS_PER_S = 1_000_000_000
LOST_S = 600
OUTAGE_S = 10 * 3600
AFTER_S = 900
START_H = 16.0
CAPACITY_WH, POWER_W, ROUND_TRIP = 120_000.0, 60_000.0, 0.9
RESERVE, START_CHARGE = 0.3, 0.8
ROOF_W = 40_000.0
UPS_WH = 6_000.0
BLOCKS = (
    Block("safety and network", Tier.CRITICAL, 6_000.0, 6_000.0),
    Block("laboratory fridges", Tier.ESSENTIAL, 18_000.0, 6_000.0),
    Block("pumps", Tier.ESSENTIAL, 15_000.0, 4_000.0),
    Block("lighting and sockets", Tier.NORMAL, 14_000.0, 12_000.0),
    Block("ventilation", Tier.NORMAL, 30_000.0, 10_000.0),
    Block("car park", Tier.DEFERRABLE, 22_000.0, 22_000.0),
)
RULES = SiteRules("library", ("library", "hall"), blocks=BLOCKS, inrush_w=60_000.0)


@dataclass(slots=True)
class _Campus:
    """The bus and what is on it."""

    stored_wh: float = START_CHARGE * CAPACITY_WH
    forming: bool = False
    breaker_closed: bool = True
    angle: float = 120.0
    frequency_hz: float = 50.0
    served_s: dict[Tier, int] = field(default_factory=lambda: dict.fromkeys(Tier, 0))
    highest_w: float = 0.0
    lowest_wh: float = START_CHARGE * CAPACITY_WH
    dead_closings: int = 0
    lowest_lent_wh: float = START_CHARGE * CAPACITY_WH

    def reading(self, public: bool) -> GridReading:
        """What the former's meter shows."""
        alive = (self.breaker_closed and public) or self.forming
        public_hz, public_pu = (50.0, 1.0) if public else (0.0, 0.0)
        return GridReading(
            self.frequency_hz if alive else None,
            1.0 if alive else 0.0,
            self.breaker_closed,
            public_hz,
            public_pu,
        )


def outage() -> Result:
    """Play the outage once; there is nothing random in it."""
    campus, memory = _Campus(), Resilience()
    total_s = LOST_S + OUTAGE_S + AFTER_S
    trace = np.zeros((total_s, 3))
    closed_s = formed_s = None
    orders: IslandOrders | None = None
    for second in range(total_s):
        public = not LOST_S <= second < LOST_S + OUTAGE_S
        if not public and campus.breaker_closed:
            # Interface protection opens on a dead grid, whatever the node does.
            campus.breaker_closed = False
        roof_w = _sun(second) * ROOF_W
        memory, orders = memory.step(_situation(campus, memory, public, roof_w), RULES, second * NS_PER_S)
        if orders.close_former:
            campus.dead_closings += not campus.forming and not campus.breaker_closed
            campus.forming, formed_s = True, formed_s if formed_s is not None else second
        if orders.close_breaker:
            campus.breaker_closed, campus.forming, closed_s = True, False, second
        load_w = _serve(campus, memory, orders, public)
        _balance(campus, load_w, roof_w)
        trace[second] = (load_w / 1000, campus.stored_wh / CAPACITY_WH, campus.frequency_hz)
    return _result(campus, memory, trace, formed_s, closed_s)


def _situation(campus: _Campus, memory: Resilience, public: bool, roof_w: float) -> Situation:
    apart = TwoSides(campus.frequency_hz - 50.0, 0.0, campus.angle) if public and campus.forming else None
    return Situation(
        reading=campus.reading(public),
        sides=apart or TwoSides(None, None, None),
        forming=campus.forming,
        able=frozenset({"library"} if campus.stored_wh > 0 else ()),
        supply=Supply(
            POWER_W + roof_w if campus.stored_wh > 0 else roof_w,
            max(0.0, campus.stored_wh - RESERVE * CAPACITY_WH),
            roof_w,
        ),
        loads_w=tuple(
            sum(
                block.running_w
                for block in BLOCKS
                if block.tier is tier and block.name not in _missing(memory)
            )
            for tier in Tier
        ),  # type: ignore[arg-type]
    )


def _missing(memory: Resilience) -> set[str]:
    """Blocks that a black start has passed over."""
    return {block.name for block in memory.start.too_large}


def _serve(campus: _Campus, memory: Resilience, orders: IslandOrders, public: bool) -> float:
    """The load on the bus now, and for how long which tiers have been on."""
    on_grid = campus.breaker_closed and public
    island = campus.forming and memory.state.mode is OperatingMode.EMERGENCY
    on = [
        block
        for block in BLOCKS
        if on_grid or (island and block.name in (orders.connect or ()) and orders.served.serves(block.tier))
    ]
    load_w = sum(block.running_w for block in on)
    if island:
        new = [
            block
            for block in on
            if memory.start.changed_ns is not None and block == memory.start.connected[-1]
        ]
        campus.highest_w = max(
            campus.highest_w, load_w + sum(block.inrush_w - block.running_w for block in new)
        )
    if island and any(block.tier is not Tier.CRITICAL for block in on):
        campus.lowest_lent_wh = min(campus.lowest_lent_wh, campus.stored_wh)
    for tier in Tier:
        campus.served_s[tier] += not public and all(block in on for block in BLOCKS if block.tier is tier)
    return load_w


def _balance(campus: _Campus, load_w: float, roof_w: float) -> None:
    """One second of energy and of the island's frequency."""
    if not campus.forming:
        campus.frequency_hz, campus.angle = 50.0, 120.0
        return
    short_w = load_w - roof_w
    change_wh = (
        short_w / 3600 / math.sqrt(ROUND_TRIP) if short_w > 0 else short_w / 3600 * math.sqrt(ROUND_TRIP)
    )
    campus.stored_wh = min(max(campus.stored_wh - change_wh, 0.0), CAPACITY_WH)
    campus.lowest_wh = min(campus.lowest_wh, campus.stored_wh)
    if campus.stored_wh == 0.0 and short_w > 0:
        campus.forming = False
        return
    campus.frequency_hz = steered_hz(TwoSides(0.0, 0.0, campus.angle), 50.0)
    campus.angle = (campus.angle + (campus.frequency_hz - 50.0) * 360 + 180) % 360 - 180


def _sun(second: int) -> float:
    """A clear equinox: the part of the roof's power that the sun gives (a half sine from six to eighteen)."""
    hour = (START_H + second / 3600) % 24
    return max(0.0, math.sin(math.pi * (hour - 6) / 12))


def _result(
    campus: _Campus,
    memory: Resilience,
    trace: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    formed_s: int | None,
    closed_s: int | None,
) -> Result:
    critical_w = sum(block.running_w for block in BLOCKS if block.tier is Tier.CRITICAL)
    alone_min = min(UPS_WH / critical_w * 60, OUTAGE_S / 60)
    minutes = {tier: campus.served_s[tier] / 60 for tier in Tier}
    rows: list[dict[str, Figure]] = []
    for name in ("without", "with"):
        row: dict[str, Figure] = {"cell": name}
        for tier in Tier:
            kept = minutes[tier] if name == "with" else alone_min if tier is Tier.CRITICAL else 0.0
            row[f"{tier.name.lower()}_minutes"] = round(kept, 1)
        row["outage_minutes"] = OUTAGE_S / 60
        rows.append(row)
    hours = np.arange(trace.shape[0]) / 3600
    return Result(
        scenario="outage",
        title="A campus without the public grid for ten hours, with and without a cell",
        assumptions={
            "batteries_kwh": CAPACITY_WH / 1000,
            "state_of_charge_at_start": START_CHARGE,
            "owners_reserve": RESERVE,
            "roof_kw": ROOF_W / 1000,
            "ups_kwh_without_cell": UPS_WH / 1000,
            "inrush_limit_kw": RULES.inrush_w / 1000,
            "formed_after_s": None if formed_s is None else formed_s - LOST_S,
            "closed_after_return_s": None if closed_s is None else closed_s - LOST_S - OUTAGE_S,
            "lowest_state_of_charge": round(campus.lowest_wh / CAPACITY_WH, 4),
            "lowest_state_of_charge_beside_critical_loads": round(campus.lowest_lent_wh / CAPACITY_WH, 4),
            "highest_kw_with_inrush": campus.highest_w / 1000,
        },
        rows=tuple(rows),
        checks={
            "the former closed once, onto a dead bus": campus.dead_closings == 1,
            "the owners' reserve served critical loads only": campus.lowest_lent_wh >= RESERVE * CAPACITY_WH,
            "no inrush went above the limit": campus.highest_w <= RULES.inrush_w,
            "the campus was synchronised and is back on the grid": memory.state is State.CONNECTED
            and campus.breaker_closed,
            "the tiers were served in their order": sorted(minutes.values(), reverse=True)
            == [minutes[tier] for tier in Tier],
            "critical loads stayed on longer than alone": minutes[Tier.CRITICAL] > alone_min,
        },
        charts=(
            Chart("Load that is served", "hours", "kW", (("campus", hours[::20], trace[::20, 0]),)),
            Chart(
                "State of charge", "hours", "part of capacity", (("batteries", hours[::20], trace[::20, 1]),)
            ),
        ),
    )
