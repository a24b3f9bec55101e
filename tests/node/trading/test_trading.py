"""Trading: one order per gate, one reading per interval, and a position only while its deadline is not past."""

from dataclasses import dataclass, field, replace

import pytest

from devices.image import DerKind
from devices.messages.control_messages import (
    Attached,
    DeviceEnergy,
    DeviceReport,
    ImageReport,
    MeterRecord,
    Mode,
)
from market.bidding import Account, Flexibility
from market.cell_state import CellState
from market.forecast import PriceForecast, PriceHistory, SeasonalNaive
from market.outcomes import BlockOutcomes, ClearingOutcome, MemberClearing
from market.payloads import Curve, Kind, Step, decode_order, decode_reading
from market.rules import TariffStep, decode_rules
from market.units import NS_PER_S
from node.constants import IMAGE_AGE_NS
from node.events import AcknowledgeMeter, CommandPosition, Effect, Now, Report, SignEntry
from node.trading.trading import Trading
from sim.cells.keys import FIRST_INTERVAL, Keys, founded

KEYS = Keys.of(0)
GENESIS = founded([KEYS])
RULES = decode_rules(GENESIS.application)
CALENDAR = RULES.calendar
STATE = CellState(rules=RULES, last_interval=FIRST_INTERVAL - 1, balances={})  # type: ignore[arg-type]
LEAD_NS = 720 * NS_PER_S
ORDER_NS = CALENDAR.gate_closure_ns(FIRST_INTERVAL) - LEAD_NS
SPEED = 1200


@dataclass(slots=True)
class Asked:
    """A bidder that offers the same and remembers what it was told."""

    curve: Curve = field(default_factory=lambda: Curve((Step(200_000, 1_000),), ()))
    told: list[tuple[Flexibility, Account]] = field(default_factory=list)

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        self.told.append((flexibility, account))
        return self.curve


def trader(bidder: Asked | None = None, *, last: int | None = None) -> Trading:
    rule = RULES.member(KEYS.member)
    assert rule is not None
    return Trading(
        rules=RULES,
        rule=rule,
        bidder=Asked() if bidder is None else bidder,
        first_interval=FIRST_INTERVAL,
        last_trading_interval=last,
        order_lead_ns=LEAD_NS,
        efficiency_ppm=900_000,
        load=SeasonalNaive(24),
        generation=SeasonalNaive(24),
        prices=PriceHistory(24),
    )


def at(cell_ns: int) -> Now:
    return Now(cell_ns // SPEED, cell_ns, SPEED)


def record(interval: int = FIRST_INTERVAL, *, complete: bool = True) -> MeterRecord:
    load = DeviceEnergy("load", DerKind.LOAD, 0, 700)
    return MeterRecord(interval, 300, 1_000, complete, (load,))


def outcomes(interval: int, position: int) -> BlockOutcomes:
    part = MemberClearing(KEYS.member, 1, 150_000, position, ())
    tariff = TariffStep(0, 300_000, 40_000)
    clearing = ClearingOutcome(interval, tariff, (None, 150_000, None), (0, 0, 0), 0, 0, 0, 0, (part,), ())
    return BlockOutcomes(1, range(0), None, (), clearing, (), (), (), ())


def entries(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(effect.kind, effect.interval) for effect in effects if isinstance(effect, SignEntry)]


def test_it_bids_once_for_each_gate() -> None:
    trading = trader()
    assert trading.bid(STATE, at(ORDER_NS - 1)) == []
    assert entries(trading.bid(STATE, at(ORDER_NS))) == [(Kind.ORDER, FIRST_INTERVAL)]
    assert trading.bid(STATE, at(ORDER_NS + 1)) == []
    later_ns = ORDER_NS + CALENDAR.interval_ns
    assert entries(trading.bid(STATE, at(later_ns))) == [(Kind.ORDER, FIRST_INTERVAL + 1)]


def test_the_order_it_signs_is_the_one_its_bidder_made() -> None:
    bidder = Asked()
    (effect,) = trader(bidder).bid(STATE, at(ORDER_NS))
    assert isinstance(effect, SignEntry) and decode_order(effect.payload) == bidder.curve
    ((_, account),) = bidder.told
    assert (account.import_price, account.export_price) == (300_000, 40_000)


def test_nothing_to_offer_is_no_entry() -> None:
    assert trader(Asked(Curve((), ()))).bid(STATE, at(ORDER_NS)) == []


def test_after_the_last_interval_it_neither_bids_nor_wants_to() -> None:
    trading = trader(last=FIRST_INTERVAL)
    assert trading.next_order_ns(0) == ORDER_NS
    assert len(trading.bid(STATE, at(ORDER_NS))) == 1
    after_ns = ORDER_NS + 5 * CALENDAR.interval_ns
    assert (trading.next_order_ns(after_ns), trading.bid(STATE, at(after_ns))) == (None, [])


def test_a_restarted_member_does_not_bid_again_for_the_same_gate() -> None:
    trading = trader()
    trading.bid_for = FIRST_INTERVAL
    assert trading.bid(STATE, at(ORDER_NS)) == []


def test_an_order_given_while_the_clock_was_ahead_holds_up_none_before_it() -> None:
    trading = trader()
    ahead_ns = ORDER_NS + 24 * CALENDAR.interval_ns
    assert entries(trading.bid(STATE, at(ahead_ns))) == [(Kind.ORDER, FIRST_INTERVAL + 24)]
    assert trading.next_order_ns(ORDER_NS) == ORDER_NS
    assert entries(trading.bid(STATE, at(ORDER_NS))) == [(Kind.ORDER, FIRST_INTERVAL)]


def test_a_reading_is_said_once_and_forgotten_by_control_when_it_is_safe() -> None:
    trading = trader()
    (said,) = trading.read(record(), at(0))
    assert isinstance(said, SignEntry) and decode_reading(said.payload).net == -700
    assert trading.entry_stored(said.kind, said.interval) == [AcknowledgeMeter(FIRST_INTERVAL)]
    assert trading.read(record(), at(1)) == [AcknowledgeMeter(FIRST_INTERVAL)]


def test_an_order_that_is_safe_acknowledges_no_meter() -> None:
    assert trader().entry_stored(Kind.ORDER, FIRST_INTERVAL) == []


@pytest.mark.parametrize(
    "measured", [record(complete=False), record(FIRST_INTERVAL - 1)], ids=["incomplete", "before the cell"]
)
def test_what_was_not_measured_whole_or_is_not_the_cells_is_acknowledged_and_not_said(
    measured: MeterRecord,
) -> None:
    assert trader().read(measured, at(0)) == [AcknowledgeMeter(measured.interval)]


def test_only_whole_intervals_teach() -> None:
    trading = trader()
    trading.read(record(complete=False), at(0))
    assert trading.load.expect(FIRST_INTERVAL + 24) == 0
    trading.read(record(), at(0))
    assert trading.load.expect(FIRST_INTERVAL + 24) == 700


def test_a_position_decided_in_time_is_commanded() -> None:
    now = at(CALENDAR.dispatch_deadline_ns(FIRST_INTERVAL) - 1)
    effects = trader().decided(STATE, outcomes(FIRST_INTERVAL, -500), True, now)
    assert effects == [CommandPosition(FIRST_INTERVAL, -500)]


@pytest.mark.parametrize(("timely", "late_ns"), [(True, 0), (False, -1)], ids=["after the deadline", "void"])
def test_a_position_decided_too_late_leaves_the_devices_to_their_fallback(timely: bool, late_ns: int) -> None:
    trading = trader()
    now = at(CALENDAR.dispatch_deadline_ns(FIRST_INTERVAL) + late_ns)
    (effect,) = trading.decided(STATE, outcomes(FIRST_INTERVAL, -500), timely, now)
    assert isinstance(effect, Report) and effect.event == "local_fallback"
    assert FIRST_INTERVAL not in trading.positions


def test_nothing_is_commanded_after_the_last_interval() -> None:
    trading = trader(last=FIRST_INTERVAL)
    assert trading.decided(STATE, outcomes(FIRST_INTERVAL + 1, 0), True, at(0)) == []


def test_a_member_that_bought_nothing_is_told_to_hold_zero() -> None:
    other = replace(outcomes(FIRST_INTERVAL, 0).clearing, members=())
    empty = replace(outcomes(FIRST_INTERVAL, 0), clearing=other)
    assert trader().decided(STATE, empty, True, at(0)) == [CommandPosition(FIRST_INTERVAL, 0)]


def image(real_ns: int, charge: float | None = 4.0, discharge: float | None = 6.0) -> ImageReport:
    device = DeviceReport("battery", DerKind.BATTERY, 0.0, 0.0, 6.0, None)
    return ImageReport(
        real_ns, 0, 0, 0.0, charge, discharge, Mode.GRID_SUPPORT, "position", "position", True, (device,)
    )


def offered(trading: Trading, now: Now) -> Flexibility:
    bidder = trading.bidder
    assert isinstance(bidder, Asked)
    trading.bid(STATE, now)
    return bidder.told[-1][0]


def test_storage_is_offered_as_it_was_just_measured() -> None:
    trading = trader()
    trading.attached(Attached(1, 3.0, 50.0, 12.0))
    trading.measured(image(at(ORDER_NS).real_ns))
    flexibility = offered(trading, at(ORDER_NS))
    assert (flexibility.charge, flexibility.discharge) == (3_000, 6_000)


def test_what_the_running_interval_still_takes_is_not_offered_again() -> None:
    trading = trader()
    trading.attached(Attached(1, 50.0, 50.0, 12.0))
    trading.measured(image(at(ORDER_NS).real_ns))
    trading.positions = {FIRST_INTERVAL - 1: 2_000}
    flexibility = offered(trading, at(ORDER_NS))
    assert (flexibility.charge, flexibility.discharge) == (5_900, 4_100)  # 95 % of that interval is to come


@pytest.mark.parametrize("age_ns", [IMAGE_AGE_NS + 1])
def test_storage_that_was_not_seen_lately_is_not_offered(age_ns: int) -> None:
    trading = trader()
    trading.attached(Attached(1, 50.0, 50.0, 12.0))
    trading.measured(image(at(ORDER_NS).real_ns - age_ns))
    assert offered(trading, at(ORDER_NS)).discharge == 0
    assert trading.headroom_mw(at(ORDER_NS)) == (0, 0, None)


def test_a_state_of_charge_that_is_unknown_offers_nothing() -> None:
    trading = trader()
    trading.attached(Attached(1, 50.0, 50.0, 12.0))
    trading.measured(image(at(ORDER_NS).real_ns, None, None))
    assert offered(trading, at(ORDER_NS)).charge == 0


def test_headroom_is_what_the_batteries_can_do_both_ways() -> None:
    trading = trader()
    trading.attached(Attached(1, 3.0, 5.0, 12.0))
    trading.measured(image(0))
    assert trading.headroom_mw(at(0)) == (5_000, 3_000, 500)
    trading.measured(image(0, charge=0.0))
    assert trading.headroom_mw(at(0))[1] == 0


def test_pausing_cancels_the_order_whose_gate_is_open_and_gives_no_more() -> None:
    trading = trader()
    (order,) = trading.bid(STATE, at(ORDER_NS))
    trading.pause(True, at(ORDER_NS))
    assert trading.next_order_ns(ORDER_NS) == ORDER_NS
    (cancelled,) = trading.bid(STATE, at(ORDER_NS))
    assert isinstance(order, SignEntry)
    assert isinstance(cancelled, SignEntry)
    assert not decode_order(order.payload).is_empty
    assert decode_order(cancelled.payload).is_empty
    assert cancelled.interval == order.interval
    assert trading.bid(STATE, at(ORDER_NS + CALENDAR.interval_ns)) == []


def test_going_on_gives_the_order_again_while_its_gate_is_open() -> None:
    trading = trader()
    trading.pause(True, at(ORDER_NS))
    assert trading.bid(STATE, at(ORDER_NS)) == []
    trading.pause(False, at(ORDER_NS))
    (order,) = trading.bid(STATE, at(ORDER_NS))
    assert isinstance(order, SignEntry)
    assert not decode_order(order.payload).is_empty


def test_saying_again_what_holds_changes_nothing() -> None:
    trading = trader()
    trading.bid(STATE, at(ORDER_NS))
    trading.pause(False, at(ORDER_NS))
    assert trading.bid(STATE, at(ORDER_NS)) == []
