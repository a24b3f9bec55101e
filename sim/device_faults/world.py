"""One seeded world: a node with some devices, faults on every line, and laws that are looked at after every cycle.

The laws are of safety, and hold whatever the lines do. Where a device lies, freshly and with good quality, nobody can
know what it holds, so the one law that needs the truth (the owner's reserve) leaves it out while it lies. W, Wh, s.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random

from devices.cell_clock import Instant
from devices.configuration.control_config import BatteryConfig, ControlConfig
from devices.control.control import ControlCore, Outcome
from devices.control.control_state import FRESH
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.image import GridImage, Reading
from devices.json_codec import from_json, to_json
from devices.leases import Lease
from devices.messages.control_messages import (
    Alarm,
    AlarmCode,
    ChangeMode,
    GrantArming,
    GrantPosition,
    Heartbeat,
    Mode,
    Position,
)
from devices.opening.simulated_devices import build_ders
from devices.response.fast_response import Arming
from devices.response.response_curve import ResponseCurve
from devices.simulated.modelled import ModelledDer
from sim.device_faults.faulty_der import Fault, FaultyDer
from sim.device_faults.sites import DEVICES, node_of

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
SPEEDS = (1.0, 60.0, 600.0)
LIES = (-1.0, 0.0, 0.5, 1.5, 10.0, 1e12, float("nan"), float("inf"))
LONGEST_FAULT = 40
"""Cycles: four seconds, so that readings grow stale and leases run out under a fault."""
WRITTEN_EVERY = 10
"""Cycles: writing one and reading it back costs as much as several."""
ROUNDING_W = 1e-3


@dataclass(slots=True)
class Report:
    """What happened in one world or in many. `broken`: every violation of a law, in words, with its seed."""

    worlds: int = 0
    cycles: int = 0
    devices: int = 0
    real_s: float = 0.0
    cell_s: float = 0.0
    commands: int = 0
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Count another report's world."""
        self.worlds += other.worlds
        self.cycles += other.cycles
        self.devices += other.devices
        self.real_s += other.real_s
        self.cell_s += other.cell_s
        self.commands += other.commands
        self.faults += other.faults
        self.broken += other.broken


@dataclass(slots=True)
class _Meter:
    """A grid whose frequency wanders."""

    frequency_hz: float = 50.0

    def measure(self, now: Instant) -> GridImage:
        """What the grid shows."""
        return GridImage(Reading.of(self.frequency_hz, now.real_ns), Reading.of(1.0, now.real_ns), True)


class FaultyWorld:
    """Everything in it follows from the seed."""

    def __init__(self, seed: int, curves: tuple[ResponseCurve, ...]) -> None:
        self.random = Random(seed)
        self._seed, self._curves = seed, curves
        types = self.random.sample(sorted(DEVICES), self.random.randint(1, 5))
        self._speed = self.random.choice(SPEEDS)
        self.config: ControlConfig = node_of(
            types, self._speed, self.random.choice([2_000.0, 9_000.0, 40_000.0])
        )
        self._types = {each.name: each.type_name for each in self.config.models}
        self.now = Instant(NS_PER_S, self.random.randrange(24) * 3600 * NS_PER_S)
        ders = build_ders(self.config, None, {}, self.now)
        # The load behind a UPS has no line of its own.
        self.ders = [FaultyDer(der) for der in ders]
        self._meter = _Meter()
        self.core = ControlCore(self.config, tuple(self.ders), None, FRESH, self.now, "control", self._meter)
        self._left = dict.fromkeys(self._types, 0)
        self._lied_ns: dict[str, int] = {}
        self._standing: set[tuple[AlarmCode, str | None]] = set()
        self._sequence = count(1)
        self._mode = Mode.GRID_SUPPORT
        self.report = Report(worlds=1, devices=len(ders))

    def run(self, cycles: int) -> Report:
        """So many cycles; the first violation ends the world."""
        for _ in range(cycles):
            self.step()
            if self.report.broken:
                break
        for der in self.ders:
            for fault, times in der.injected.items():
                self.report.faults[self._types.get(der.name, "load behind"), fault.value] += times
        return self.report

    def step(self) -> None:
        """Time passes, faults come and go, the daemon says something, and control cycles once."""
        stalled = self.random.random() < 0.02
        seconds = self.random.uniform(1.0, 8.0) if stalled else self.config.cycle_ms / 1000
        passed_ns = round(seconds * NS_PER_S)
        self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + round(passed_ns * self._speed))
        self._leases_ended()
        self._set_faults()
        self._speak()
        for der in self.ders:
            der.commands.clear()
        outcome = self.core.cycle(self.now)
        self.report.cycles += 1
        self.report.real_s += seconds
        self.report.cell_s += seconds * self._speed
        self._look(outcome, self.core.cycles[-1])

    def _set_faults(self) -> None:
        for der in self.ders:
            if self._left.get(der.name, 0) > 0:
                self._left[der.name] -= 1
            else:
                der.fault = self.random.choice((None, None, *Fault))
                der.lie = self.random.choice(LIES)
                self._left[der.name] = self.random.randint(0, LONGEST_FAULT)
            if der.fault is Fault.LIE:
                self._lied_ns[der.name] = self.now.real_ns

    def _speak(self) -> None:
        """The daemon, which has its own bad days."""
        now_ns, later_ns = self.now.real_ns, self.now.real_ns + NS_PER_S
        if self.random.random() < 0.01:
            self._mode = self.random.choice(
                [Mode.GRID_SUPPORT, Mode.GRID_SUPPORT, Mode.STANDBY, Mode.EMERGENCY_STOP]
            )
            self.core.handle(ChangeMode(self._mode), self.now)
        if self.random.random() < 0.9:
            beat = Lease(True, False, now_ns, later_ns, "daemon", next(self._sequence))
            self.core.handle(Heartbeat(beat), self.now)
        if self.random.random() < 0.05:
            interval = self.now.cell_ns // (self.config.interval_s * NS_PER_S)
            position = Position(interval, self.random.randint(-3_000_000, 3_000_000))
            self.core.handle(
                GrantPosition(
                    Lease(position, None, now_ns, now_ns + 60 * NS_PER_S, "daemon", next(self._sequence))
                ),
                self.now,
            )
        if self.random.random() < 0.05:
            arming = Arming(
                self.random.choice(self._curves), self.random.uniform(0, 5e3), self.random.uniform(0, 5e3)
            )
            self.core.handle(
                GrantArming(
                    Lease(arming, None, now_ns, now_ns + 3 * NS_PER_S, "daemon", next(self._sequence))
                ),
                self.now,
            )
        if self.random.random() < 0.1:
            self._meter.frequency_hz = self.random.choice([50.0, 49.4, 49.75, 50.3, 50.6])

    def _look(self, outcome: Outcome, record: CycleRecord) -> None:
        """Every law, once."""
        for message in outcome.messages:
            if isinstance(message, Alarm):
                key = (message.code, message.device)
                self._standing = self._standing | {key} if message.raised else self._standing - {key}
        self._law(replays(record), "a cycle does not replay to its commands")
        if self.report.cycles % WRITTEN_EVERY == 0:
            again = from_json(CycleRecord, to_json(record))
            self._law(again == record, "a cycle that was written does not read back equal")
        batteries = {battery.name: battery for battery in self.config.batteries}
        told = {each.name: each.power_w for each in record.decision.setpoints}
        for each in record.inputs.batteries:
            if each.stored_wh is None:
                self._law(
                    told[each.name] <= 0, f"{each.name} is to discharge with an unknown state of charge"
                )
            elif each.stored_wh <= each.floor_wh:
                self._law(told[each.name] <= ROUNDING_W, f"{each.name} is to discharge into the reserve")
            if self._mode is not Mode.GRID_SUPPORT:
                self._law(told[each.name] == 0, f"{each.name} is told to work in mode {self._mode.value}")
        for der in self.ders:
            self.report.commands += len(der.commands)
            for lease in der.commands:
                self._commanded(der, lease)
            self._law(not der.broken, "; ".join(der.broken))
            refused = (AlarmCode.SETPOINT_REFUSED, der.name) in self._standing
            self._law(
                refused or not (der.refused and der.commands), f"{der.name} refused, and nobody was told"
            )
            if der.name in batteries:
                self._reserve(der, batteries[der.name])

    def _commanded(self, der: FaultyDer, lease: Lease[float]) -> None:
        plate = der.nameplate
        for power_w in (lease.value, lease.reversion):
            inside = plate.minimum_w - ROUNDING_W <= power_w <= plate.maximum_w + ROUNDING_W
            self._law(inside, f"{der.name} is told {power_w} W, outside its nameplate")
        lasts_ms = (lease.expires_ns - lease.issued_ns) / NS_PER_MS
        self._law(0 < lasts_ms <= self.config.command_lease_ms, f"{der.name}: a command for {lasts_ms} ms")

    def _reserve(self, der: FaultyDer, battery: BatteryConfig) -> None:
        """In truth: below the reserve, by more than a stale reading allows, nothing is asked of a battery."""
        stale_ns = (self.config.reading_age_ms + self.config.command_lease_ms) * NS_PER_MS
        lied_ns = self._lied_ns.get(der.name)
        if lied_ns is not None and self.now.real_ns - lied_ns <= stale_ns:
            return
        if not isinstance(der.inner, ModelledDer):
            return
        stored_wh = der.inner.simulation.status.stored_wh
        in_force_w = der.inner.simulation.setpoint_w(self.now)
        drained_wh = (
            battery.discharge_w * stale_ns / NS_PER_S * self._speed / 3600 / battery.discharge_efficiency
        )
        below = stored_wh is not None and stored_wh < battery.reserve * battery.capacity_wh - drained_wh
        self._law(
            not below or in_force_w <= ROUNDING_W, f"{der.name} discharges {in_force_w} W below its reserve"
        )

    def _leases_ended(self) -> None:
        """What no command has reached for longer than a lease is at its reversion value."""
        for der in self.ders:
            held = der.held
            if held is None or held.active(self.now.real_ns) or not isinstance(der.inner, ModelledDer):
                continue
            in_force_w = der.inner.simulation.setpoint_w(self.now)
            self._law(
                in_force_w == held.reversion, f"{der.name} holds {in_force_w} W after its lease has ended"
            )

    def _law(self, holds: bool, text: str) -> None:
        if not holds:
            self.report.broken.append(f"seed {self._seed}, cycle {self.report.cycles}: {text}")
