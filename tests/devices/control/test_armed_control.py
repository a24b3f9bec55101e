"""Control with a grid meter: arming expires, a mandatory droop does not, and a blind meter is an alarm."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.control.mandate import LONGEST_ARMING_NS, MOST_ARMED, Mandate
from devices.dispatch.cycle_record import replays
from devices.errors import ConfigurationError, ProfileError, ServiceError
from devices.grid_profile import read_grid_profile
from devices.leases import Answer, Lease, Refused
from devices.limits import PowerRange
from devices.messages.control_messages import (
    Alarm,
    AlarmCode,
    GrantArming,
    GrantPosition,
    Heartbeat,
    Position,
)
from devices.opening.simulated_devices import build_ders
from devices.response.fast_response import Arming
from devices.response.response_curve import curve_table
from devices.response.service_files import built_in_curves, find_curve
from devices.simulated.grid import SimulatedGridMeter
from node.configuration.config import armings, control_table, load_config
from node.errors import ConfigError

Settings = Callable[..., dict[str, Any]]
SECOND_NS = 10**9
FREQUENCIES = (50.0, 49.5, 50.0, 50.7, 50.0, 30.0)
"""One second each; the last is no grid's frequency."""


class Site:
    """A battery on a grid whose frequency follows `FREQUENCIES`."""

    def __init__(self, settings: Settings, closed: tuple[int, ...] = (1,) * 6, **changes: Any) -> None:
        ders = [
            {
                "kind": "battery",
                "name": "battery",
                "charge_w": 3000,
                "discharge_w": 3000,
                "capacity_wh": 8000,
            }
        ]
        self.config = parse_config(settings(ders=ders, profile=None, grid_profile="grid.csv", **changes))
        rows = [
            f"{second * SECOND_NS},{hz},1.0,{breaker}"
            for second, (hz, breaker) in enumerate(zip(FREQUENCIES, closed, strict=True))
        ]
        self.now = Instant(SECOND_NS, 0)
        self.core = ControlCore(
            self.config,
            build_ders(self.config, None, {}, self.now),
            None,
            FRESH,
            self.now,
            "control",
            SimulatedGridMeter(
                read_grid_profile(["start_ns,frequency_hz,voltage_pu,breaker_closed", *rows], "rows")
            ),
        )
        self.alarms: list[Alarm] = []
        self._sequence = count(1)

    def arm(self, service: str, up_w: float, down_w: float, seconds: float) -> None:
        expires_ns = self.now.real_ns + round(seconds * SECOND_NS)
        arming = Arming(find_curve(service), up_w, down_w)
        lease: Lease[Arming | None] = Lease(
            arming, None, self.now.real_ns, expires_ns, "daemon", next(self._sequence)
        )
        self.core.handle(GrantArming(lease), self.now)

    def power_w(self, second: float) -> float:
        """The power that is decided at this second of the profile."""
        self.now = Instant(SECOND_NS + round(second * SECOND_NS), round(second * SECOND_NS))
        beat = Lease(
            True, False, self.now.real_ns, self.now.real_ns + SECOND_NS, "daemon", next(self._sequence)
        )
        self.core.handle(Heartbeat(beat), self.now)
        outcome = self.core.cycle(self.now)
        self.alarms += [message for message in outcome.messages if isinstance(message, Alarm)]
        assert replays(self.core.cycles[-1])
        return self.core.cycles[-1].decision.power_w


def test_an_armed_service_responds_until_its_lease_ends(settings: Settings) -> None:
    site = Site(settings)
    site.arm("gb-dynamic-containment", 1000.0, 500.0, 2.0)
    assert [site.power_w(second) for second in (0.1, 1.1, 2.1, 3.1)] == [0.0, 1000.0, 0.0, 0.0]


def test_a_position_does_not_take_back_what_a_service_has_given(settings: Settings) -> None:
    site = Site(settings)
    position: Lease[Position | None] = Lease(Position(0, 500_000), None, SECOND_NS, 10**13, "daemon", 99)
    site.core.handle(GrantPosition(position), site.now)
    site.arm("gb-dynamic-containment", 1000.0, 500.0, 6.0)
    powers_w = [site.power_w(second / 10) for second in range(1, 30)]
    # 500 Wh in an hour, before and after a second of 1,000 W more.
    assert powers_w[0] == pytest.approx(500.0, abs=0.1)
    assert max(powers_w) == pytest.approx(1500.0, abs=0.1)
    assert powers_w[-1] == pytest.approx(500.0, abs=0.1)


def test_an_arming_that_is_renewed_goes_on(settings: Settings) -> None:
    site = Site(settings)
    site.arm("gb-dynamic-containment", 1000.0, 500.0, 2.0)
    site.power_w(1.9)
    site.arm("gb-dynamic-containment", 1000.0, 400.0, 2.0)
    assert site.power_w(3.1) == -400.0


def test_a_mandatory_droop_never_expires(settings: Settings) -> None:
    site = Site(settings, mandatory=[curve_table(find_curve("lfsm-o"))])
    assert site.power_w(0.1) == 0.0
    assert site.power_w(3.1) == pytest.approx(-600.0)
    site.power_w(5.1)
    assert [(alarm.code, alarm.raised) for alarm in site.alarms] == [(AlarmCode.GRID_UNKNOWN, True)]


def test_what_is_armed_and_cannot_be_had_is_an_alarm(settings: Settings) -> None:
    site = Site(settings)
    site.arm("fcr-ce", 5000.0, 0.0, 2.0)
    site.power_w(0.1)
    site.power_w(2.5)
    found = [alarm.raised for alarm in site.alarms if alarm.code is AlarmCode.ARMED_NOT_AVAILABLE]
    assert found == [True, False]


def test_an_outage_that_the_meter_sees_releases_the_reserve_and_stops_charging(settings: Settings) -> None:
    site = Site(settings, islanding=True, closed=(1, 0, 0, 1, 1, 1))
    site.power_w(0.1)
    assert not site.core.cycles[-1].inputs.batteries[0].reserve_released
    site.power_w(1.1)
    inputs = site.core.cycles[-1].inputs
    assert inputs.batteries[0].reserve_released
    assert inputs.island == PowerRange(0.0, 3000.0)
    for second in (3.1, 3.7, 3.8, 3.9):
        site.power_w(second)
    inputs = site.core.cycles[-1].inputs
    assert (inputs.island, inputs.batteries[0].reserve_released) == (None, False)
    lost = [alarm.raised for alarm in site.alarms if alarm.code is AlarmCode.GRID_LOST]
    assert lost == [True, False]


def offer(mandate: Mandate, arming: Arming, seconds: float, sequence: int) -> Answer:
    lease: Lease[Arming | None] = Lease(arming, None, 1, 1 + round(seconds * SECOND_NS), "daemon", sequence)
    return mandate.offer(GrantArming(lease), 1)


def test_armings_have_bounds() -> None:
    mandate = Mandate(FRESH.mode, None)
    services = [curve for curve in built_in_curves() if not curve.mandatory]
    for sequence, curve in enumerate(services[:MOST_ARMED], start=1):
        assert not isinstance(offer(mandate, Arming(curve, 1.0, 1.0), 5, sequence), Refused)
    assert len(mandate.armed(2)) == MOST_ARMED
    assert isinstance(offer(mandate, Arming(services[MOST_ARMED], 1.0, 1.0), 5, 99), Refused)
    assert isinstance(offer(mandate, Arming(services[0], -1.0, 1.0), 5, 99), Refused)
    assert isinstance(offer(mandate, Arming(services[0], 1.0, 1.0), LONGEST_ARMING_NS, 99), Refused)
    assert mandate.armed(6 * SECOND_NS) == ()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["start_ns,voltage_pu", "0,1"], "line 1: the columns frequency_hz are missing"),
        (["start_ns,frequency_hz,voltage_pu", "0,50,1"], "at least two rows"),
        (["start_ns,frequency_hz,voltage_pu", "5,50,1", "5,50,1"], "line 3: start_ns: must be later"),
        (["start_ns,frequency_hz,voltage_pu", "0,fifty,1", "5,50,1"], "line 2: frequency_hz: 'fifty'"),
        (["start_ns,frequency_hz,voltage_pu", "0,50", "5,50,1"], "line 2: voltage_pu"),
        (["start_ns,frequency_hz,voltage_pu", "-1,50,1", "5,50,1"], "line 2: start_ns"),
        (
            ["start_ns,frequency_hz,voltage_pu,breaker_closed", "0,50,1,open", "5,50,1,1"],
            "line 2: breaker_closed: 'open' is neither",
        ),
        (["start_ns,frequency_hz,voltage_pu", "0,50,230", "5,50,1"], "line 2: voltage_pu: '230' is not from"),
    ],
)
def test_a_mistake_in_a_grid_profile_names_its_place(rows: list[str], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        read_grid_profile(rows, "grid.csv")


def test_a_droop_needs_something_to_read_and_something_to_move(settings: Settings) -> None:
    droops = [curve_table(find_curve("lfsm-o")), curve_table(find_curve("volt-var"))]
    with pytest.raises(ConfigurationError) as caught:
        parse_config(settings(mandatory=droops))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "mandatory[1].effect",
        "grid_profile",
    ]


NODE = """
[node]
name = "ada"
[site]
grid_profile = "grid.csv"
service_files = ["own.toml"]
mandatory_services = ["lfsm-o", "own"]
[[site.armed_services]]
service = "fcr-ce"
up_w = 800.0
[[site.ders]]
kind = "battery"
name = "garage"
capacity_wh = 6400
charge_w = 3000
discharge_w = 3000
"""


def test_a_node_names_services_and_control_gets_their_curves(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(NODE)
    own = (Path(__file__).parents[3] / "devices" / "services" / "en-50549-lfsm-u.toml").read_text()
    own = own.replace('name = "en-50549-lfsm-u"', 'name = "own"').split("aliases")[0]
    (tmp_path / "own.toml").write_text(own)
    config = load_config(tmp_path / "node.toml")
    control = parse_config(control_table(config, 900))
    assert [curve.name for curve in control.mandatory] == ["en-50549-lfsm-o", "own"]
    assert control.grid_profile == str(tmp_path / "grid.csv")
    assert armings(config) == (Arming(find_curve("fcr-ce"), 800.0, 0.0),)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('"fcr-ce"', '"fcr"', "site.fcr: no such service"),
        ('["own.toml"]', "[]", "site.own: no such service"),
        ('grid_profile = "grid.csv"', "", "site.grid_profile: is missing"),
        ("up_w = 800.0", "up_w = -1.0", "site.armed_services.0.up_w"),
    ],
)
def test_a_node_with_a_wrong_service_does_not_start(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    (tmp_path / "node.toml").write_text(NODE.replace(right, wrong))
    own = curve_table(find_curve("lfsm-u"))
    assert own["name"] == "en-50549-lfsm-u"
    (tmp_path / "own.toml").write_text(
        (Path(__file__).parents[3] / "devices" / "services" / "en-50549-lfsm-u.toml")
        .read_text()
        .replace('name = "en-50549-lfsm-u"', 'name = "own"')
        .split("aliases")[0]
    )
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "node.toml")


def test_an_unknown_service_is_a_service_error() -> None:
    with pytest.raises(ServiceError, match="no such service"):
        find_curve("nothing-like-it")
