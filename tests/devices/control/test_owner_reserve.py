"""The owner's reserve can be changed while control runs, and never beyond what a reserve is."""

import pytest

from devices.cell_clock import ClockSpec
from devices.configuration.control_config import parse_config
from devices.control.owner_reserve import with_reserve
from devices.control.standing_orders import StandingOrders
from devices.leases import Refused
from devices.messages.control_messages import SetReserve

CONFIG = parse_config(
    {
        "data_dir": ".",
        "interval_s": 900,
        "clock": {"start_wall_ns": 0, "epoch_ns": 0},
        "connection": {"minimum_w": -1.0, "maximum_w": 1.0},
        "ders": [
            {"kind": "battery", "name": name, "capacity_wh": 1000.0, "charge_w": 1.0, "discharge_w": 1.0}
            for name in ("one", "two")
        ],
    }
)


def test_one_batterys_reserve_is_changed_and_nothing_else() -> None:
    changed = with_reserve(CONFIG, SetReserve("two", 0.75))
    assert not isinstance(changed, Refused)
    before = {battery.name: battery.reserve for battery in CONFIG.batteries}
    assert {battery.name: battery.reserve for battery in changed.batteries} == before | {"two": 0.75}


@pytest.mark.parametrize(
    "wanted",
    [
        SetReserve("three", 0.5),
        SetReserve("one", 1.01),
        SetReserve("one", -0.1),
        SetReserve("one", float("nan")),
    ],
)
def test_what_is_no_reserve_is_refused(wanted: SetReserve) -> None:
    assert isinstance(with_reserve(CONFIG, wanted), Refused)


def test_a_reserve_is_said_again_after_a_reconnection() -> None:
    orders = StandingOrders(ClockSpec(0, 0, 1), 900, "daemon")
    orders.want_reserve("one", 0.4)
    newest = orders.want_reserve("one", 0.6)
    assert [each for each in orders.all(1, 1) if isinstance(each, SetReserve)] == [newest]
