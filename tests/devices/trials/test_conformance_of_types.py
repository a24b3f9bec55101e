"""Every device type of the catalogue keeps every law of the DER protocol; and each law bites."""

from collections.abc import Iterator
from typing import Any

import pytest
from device_examples import EXAMPLES, NOON_NS, devices_of

from devices.cell_clock import Instant
from devices.der import Der, Nameplate
from devices.image import DeviceImage, Reading
from devices.leases import Accepted, Answer, Lease
from devices.models.catalogue import TYPES
from devices.trials.conformance import LAWS, Bench, Law, VirtualBench, examine

START = Instant(10**9, NOON_NS)
DEVICES = tuple(
    (type_name, index) for type_name in EXAMPLES for index in range(len(devices_of(type_name, START)))
)


def test_there_is_an_example_of_every_type() -> None:
    assert EXAMPLES.keys() == TYPES.keys()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: str(law.__name__))
@pytest.mark.parametrize(("type_name", "index"), DEVICES)
def test_a_device_keeps_a_law(type_name: str, index: int, law: Law) -> None:
    found = list(law(VirtualBench(devices_of(type_name, START)[index], START)))
    assert found == []


class Faulty:
    """A battery's driver with one fault."""

    def __init__(self, fault: str) -> None:
        (self._der,) = devices_of("home-battery", START)
        self._fault = fault
        self._looks = 0
        self.name = self._der.name

    @property
    def nameplate(self) -> Nameplate:
        return self._der.nameplate

    def measure(self, now: Instant) -> DeviceImage:
        self._looks += 1
        image = self._der.measure(now)
        real_ns = now.real_ns
        return {
            "another name": lambda: _changed(image, name="other"),
            "sentinel": lambda: _changed(image, state_of_charge=Reading.of(-1.0, real_ns)),
            "future": lambda: _changed(image, power_w=Reading.of(0.0, real_ns + 1)),
            "blind": lambda: _changed(image, stored_wh=Reading.missing(real_ns)),
            "too strong": lambda: _changed(image, power_w=Reading.of(9000.0, real_ns)),
            "counts looks": lambda: _changed(image, counter=self._looks),
            "counts wrong": lambda: _changed(image, counter=self._looks * 10**21),
            "silent": lambda: _changed(image, power_w=Reading.missing(real_ns)),
        }.get(self._fault, lambda: image)()

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        if self._fault == "deaf":
            return Accepted()
        if self._fault == "keeps for ever":
            self._der.command(Lease(lease.value, lease.value, *_rest(lease)), now)
            return Accepted()
        return self._der.command(lease, now)


def _rest(lease: Lease[float]) -> tuple[int, int, str, int]:
    return lease.issued_ns, lease.expires_ns, lease.issuer, lease.sequence


def _changed(image: DeviceImage, **changes: Any) -> DeviceImage:
    names = ("name", "kind", "power_w", "setpoint_w", "stored_wh", "state_of_charge", "available_w")
    known = {name: getattr(image, name) for name in (*names, "counter", "possible")}
    return DeviceImage(**(known | changes))


BITES = {
    "another name": "a_nameplate_admits_rest",
    "sentinel": "readings_are_honest",
    "future": "readings_are_honest",
    "blind": "unknown_is_never_permissive",
    "too strong": "power_stays_in_the_nameplate",
    "counts looks": "a_look_moves_no_energy",
    "counts wrong": "the_counter_shows_the_power",
    "silent": "a_setpoint_reads_back_and_is_followed",
    "deaf": "impossible_setpoints_change_nothing",
    "keeps for ever": "the_driver_ends_a_lease_itself",
}


@pytest.mark.parametrize("fault", BITES)
def test_a_law_bites(fault: str) -> None:
    def bench() -> Bench:
        der: Der = Faulty(fault)
        return VirtualBench(der, START)

    assert BITES[fault] in {broken.law for broken in examine(bench)}


def looks(der: Der, seconds: Iterator[float]) -> int | None:
    counter = None
    for passed in seconds:
        now = Instant(START.real_ns + round(passed * 1e9), START.cell_ns + round(passed * 1e9))
        counter = der.measure(now).counter
    return counter


@pytest.mark.parametrize(("type_name", "index"), DEVICES)
def test_how_often_a_device_is_measured_does_not_change_its_energy(type_name: str, index: int) -> None:
    often = looks(devices_of(type_name, START)[index], (each * 1.1 for each in range(1, 31)))
    seldom = looks(devices_of(type_name, START)[index], (each * 3.3 for each in range(1, 11)))
    assert often is not None
    assert seldom is not None
    assert often == seldom
