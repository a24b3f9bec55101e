"""What control accepts from a daemon, and what is left when its leases have run out."""

from devices.control.mandate import LONGEST_HEARTBEAT_NS, MOST_POSITIONS, Mandate
from devices.leases import Accepted, Lease, Refused
from devices.limits import PowerRange
from devices.messages.control_messages import GrantLimits, GrantPosition, Heartbeat, Mode, Position

NOW = 10**12
END = NOW + 10**9


def position(interval: int, expires_ns: int = END, sequence: int = 1) -> GrantPosition:
    return GrantPosition(Lease(Position(interval, 500), None, NOW, expires_ns, "daemon", sequence))


def heartbeat(expires_ns: int) -> Heartbeat:
    return Heartbeat(Lease(True, False, NOW, expires_ns, "daemon", 1))


def test_a_fresh_mandate_allows_nothing() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    assert not mandate.alive(NOW)
    assert not mandate.lost(NOW)
    assert mandate.position(0, NOW) is None
    assert mandate.limits(NOW) is None


def test_a_heartbeat_counts_until_it_runs_out() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    assert mandate.offer(heartbeat(END), NOW) == Accepted()
    assert mandate.alive(END - 1)
    assert not mandate.alive(END)
    assert mandate.lost(END)


def test_nobody_may_claim_to_live_for_long() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    assert isinstance(mandate.offer(heartbeat(NOW + LONGEST_HEARTBEAT_NS + 1), NOW), Refused)


def test_a_position_holds_for_its_interval_and_its_time() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    mandate.offer(position(7), NOW)
    assert mandate.position(7, END - 1) == Position(7, 500)
    assert mandate.position(8, NOW) is None
    assert mandate.position(7, END) is None


def test_a_position_that_reverts_to_another_is_refused() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    forever = GrantPosition(Lease(Position(7, 1), Position(7, 1), NOW, END, "daemon", 1))
    assert isinstance(mandate.offer(forever, NOW), Refused)


def test_positions_are_bounded_and_those_that_ran_out_make_room() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    for interval in range(MOST_POSITIONS):
        assert mandate.offer(position(interval), NOW) == Accepted()
    assert isinstance(mandate.offer(position(MOST_POSITIONS), NOW), Refused)
    assert mandate.offer(position(MOST_POSITIONS, END + 10**9), END) == Accepted()


def test_limits_hold_revert_and_are_saved_as_their_reversion() -> None:
    saved, tight, after = (PowerRange(-watts, watts) for watts in (5.0, 1.0, 2.0))
    mandate = Mandate(Mode.GRID_SUPPORT, saved)
    assert mandate.limits(NOW) == mandate.limits_to_save() == saved
    mandate.offer(GrantLimits(Lease(tight, after, NOW, END, "daemon", 1)), NOW)
    assert mandate.limits(NOW) == tight
    assert mandate.limits(END) == mandate.limits_to_save() == after
