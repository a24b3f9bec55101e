"""What a daemon wants, said as leases: they end in time and are newer whenever they are said again."""

from devices.cell_clock import ClockSpec
from devices.control.standing_orders import HEARTBEAT_NS, StandingOrders
from devices.leases import Accepted, judge
from devices.limits import PowerRange
from devices.messages.control_messages import ChangeMode, GrantLimits, GrantPosition, Mode, Position

HOUR_NS = 3600 * 10**9
CLOCK = ClockSpec(start_wall_ns=1_000 * 10**9, epoch_ns=0, speed=1200)
"""An hour in three seconds."""
WALL_NS = CLOCK.start_wall_ns
REAL_NS = 50 * 10**9
TIGHT = PowerRange(-1.0, 1.0)
AFTER = PowerRange(-2.0, 2.0)


def orders() -> StandingOrders:
    return StandingOrders(CLOCK, 3600, "daemon")


def test_a_position_is_granted_until_its_interval_ends() -> None:
    (grant,) = orders().want_position(Position(1, 500), REAL_NS, WALL_NS)
    assert isinstance(grant, GrantPosition)
    assert grant.lease.expires_ns - REAL_NS == 6 * 10**9


def test_a_position_for_an_interval_that_is_over_is_not_granted() -> None:
    assert list(orders().want_position(Position(-1, 500), REAL_NS, WALL_NS)) == []


def test_a_heartbeat_is_a_lease_that_soon_ends() -> None:
    lease = orders().heartbeat(REAL_NS).lease
    assert (lease.value, lease.reversion) == (True, False)
    assert lease.expires_ns == REAL_NS + HEARTBEAT_NS


def test_after_a_reconnection_everything_that_holds_is_said_again_as_something_newer() -> None:
    wanted = orders()
    wanted.want_mode(Mode.STANDBY)
    first_limits, *_ = wanted.want_limits(TIGHT, AFTER, REAL_NS, HOUR_NS)
    first_position, *_ = wanted.want_position(Position(4, 1), REAL_NS, WALL_NS)
    later_ns = REAL_NS + 10**9
    mode, limits, position = wanted.all(later_ns, WALL_NS + 10**9)
    assert mode == ChangeMode(Mode.STANDBY)
    assert isinstance(limits, GrantLimits) and isinstance(first_limits, GrantLimits)
    assert isinstance(position, GrantPosition) and isinstance(first_position, GrantPosition)
    assert judge(first_limits.lease, limits.lease, later_ns, 2 * HOUR_NS) == Accepted()
    assert judge(first_position.lease, position.lease, later_ns, 2 * HOUR_NS) == Accepted()
    assert limits.lease.expires_ns == first_limits.lease.expires_ns
    assert position.lease.expires_ns == first_position.lease.expires_ns


def test_limits_that_have_run_out_are_said_again_as_their_reversion() -> None:
    wanted = orders()
    wanted.want_limits(TIGHT, AFTER, REAL_NS, 10)
    (limits,) = wanted.all(REAL_NS + 11, WALL_NS)
    assert isinstance(limits, GrantLimits)
    assert (limits.lease.value, limits.lease.reversion) == (AFTER, AFTER)


def test_positions_of_the_past_are_forgotten() -> None:
    wanted = orders()
    for interval in range(100):
        wall_ns = CLOCK.wall_ns(interval * HOUR_NS)
        list(wanted.want_position(Position(interval, 0), REAL_NS, wall_ns))
    assert len(list(wanted.all(REAL_NS, WALL_NS))) <= 2
