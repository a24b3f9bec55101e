"""A setpoint is done only when it reads back and the measured power agrees; alarms are told once."""

import pytest

from devices.cell_clock import Instant
from devices.control.alarms import AlarmBoard
from devices.der import Nameplate
from devices.dispatch.cycle_record import ReadBack
from devices.dispatch.settling import Settling
from devices.image import DerKind, DeviceImage, ProcessImage, Reading
from devices.limits import PowerRange
from devices.messages.control_messages import AlarmCode
from devices.power.allocation import PvInput, Setpoint, curtail, distribute

SECOND_NS = 10**9


def settling() -> Settling:
    plates = {
        "battery": Nameplate(DerKind.BATTERY, -3000.0, 3000.0, 8000.0, 0.9, 0.9, None, 1.0),
        "roof": Nameplate(DerKind.PV, 0.0, 5000.0, None, 1.0, 1.0, None, 0.0),
    }
    return Settling(plates, 2 * SECOND_NS)


def image(name: str, setpoint_w: float, power_w: float, second: int) -> ProcessImage:
    now_ns = second * SECOND_NS
    missing = Reading.missing(now_ns)
    device = DeviceImage(
        name=name,
        kind=DerKind.BATTERY,
        power_w=Reading.of(power_w, now_ns),
        setpoint_w=Reading.of(setpoint_w, now_ns),
        stored_wh=missing,
        state_of_charge=missing,
        available_w=missing,
        counter=0,
    )
    return ProcessImage(Instant(now_ns, now_ns), (device,))


@pytest.mark.parametrize(
    ("read_back", "done"),
    [
        (ReadBack("battery", 1000.0, 1000.0, 1000.0), True),
        (ReadBack("battery", 1000.0, 1000.5, 1050.0), True),
        (ReadBack("battery", 1000.0, 1000.0, 0.0), False),
        (ReadBack("battery", 1000.0, 900.0, 1000.0), False),
        (ReadBack("battery", 1000.0, None, 1000.0), False),
        (ReadBack("battery", 0.0, 0.0, None), False),
        (ReadBack("roof", 3000.0, 3000.0, 500.0), True),
        (ReadBack("roof", 3000.0, 3000.0, 3500.0), False),
    ],
)
def test_done_is_what_reads_back_and_moves_energy(read_back: ReadBack, done: bool) -> None:
    assert settling().reached(read_back) is done


def test_a_device_is_overdue_after_the_patience_and_its_own_response_time() -> None:
    watch = settling()
    watch.told((Setpoint("battery", 1000.0),))
    for second in range(4):
        watch.check(image("battery", 1000.0, 0.0, second), SECOND_NS)
    assert not watch.overdue("battery", 3 * SECOND_NS)
    assert watch.overdue("battery", 3 * SECOND_NS + 1)
    watch.check(image("battery", 1000.0, 1000.0, 4), SECOND_NS)
    assert not watch.overdue("battery", 100 * SECOND_NS)


def test_an_alarm_is_told_when_it_is_raised_and_when_it_clears_and_not_between() -> None:
    board = AlarmBoard()
    for raised in (False, True, True, False, False):
        board.update(AlarmCode.DAEMON_LOST, None, 5, "gone", raised=raised)
    assert [alarm.raised for alarm in board.take_news()] == [True, False]
    assert board.take_news() == ()
    assert board.standing == ()


def test_batteries_share_by_headroom() -> None:
    ranges = (PowerRange(-1000.0, 3000.0), PowerRange(-1000.0, 1000.0))
    assert [each.power_w for each in distribute(2000.0, ("a", "b"), ranges)] == [1500.0, 500.0]
    assert [each.power_w for each in distribute(-1000.0, ("a", "b"), ranges)] == [-500.0, -500.0]


def test_pv_shares_what_room_there_is_by_what_each_can_give() -> None:
    east, west = PvInput("east", 5000.0, 3000.0), PvInput("west", 5000.0, 1000.0)
    assert [each.power_w for each in curtail((east, west), 2000.0)] == [1500.0, 500.0]
    assert [each.power_w for each in curtail((east, west), 10_000.0)] == [5000.0, 5000.0]


def test_at_night_pv_is_still_limited_to_the_room() -> None:
    dark = (PvInput("east", 6000.0, 0.0), PvInput("west", 2000.0, 0.0))
    assert [each.power_w for each in curtail(dark, 2000.0)] == [1500.0, 500.0]
