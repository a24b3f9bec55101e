"""The meter: contribution and consumption of each interval, from the exact counters of the devices.

Energies in reports are mWh, within in picojoules (3.6e12 to the mWh); injection is positive. Like a utility's
meter it has two registers at the connection point, one for energy given to the feeder and one for energy
taken from it, and behind it two for each device. Registers never fall; a record is the whole mWh by which
they rose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devices.control.hand_over import RegisterPair, RunningDevice, RunningMeter
from devices.image import DerKind, ProcessImage
from devices.messages.control_messages import DeviceEnergy, MeterRecord
from devices.profiles import PICOJOULES_PER_MWH

PICOJOULES_PER_WATT_NS = 1000
"""What a watt moves in a nanosecond: 1 nJ."""


@dataclass(slots=True)
class _Registers:
    """Energy given and taken since the meter started, and how much of it when the interval began."""

    given: int = 0
    taken: int = 0
    given_at_start: int = 0
    taken_at_start: int = 0

    def add(self, energy: int) -> None:
        if energy > 0:
            self.given += energy
        else:
            self.taken -= energy

    def since_start(self) -> tuple[int, int]:
        """What was given and taken in this interval, in whole mWh of the registers."""
        return (
            self.given // PICOJOULES_PER_MWH - self.given_at_start // PICOJOULES_PER_MWH,
            self.taken // PICOJOULES_PER_MWH - self.taken_at_start // PICOJOULES_PER_MWH,
        )

    def running(self) -> RegisterPair:
        """This interval's part."""
        given = self.given - self.given_at_start // PICOJOULES_PER_MWH * PICOJOULES_PER_MWH
        taken = self.taken - self.taken_at_start // PICOJOULES_PER_MWH * PICOJOULES_PER_MWH
        return RegisterPair(
            *divmod(given, PICOJOULES_PER_MWH),
            self.given_at_start % PICOJOULES_PER_MWH,
            *divmod(taken, PICOJOULES_PER_MWH),
            self.taken_at_start % PICOJOULES_PER_MWH,
        )

    def resume(self, pair: RegisterPair) -> None:
        """Go on from another meter's part of this interval, in whose mWh we stand from now on."""
        self.given += pair.given_mwh * PICOJOULES_PER_MWH + pair.given_pj
        self.taken += pair.taken_mwh * PICOJOULES_PER_MWH + pair.taken_pj
        self.given_at_start, self.taken_at_start = pair.given_before_pj, pair.taken_before_pj

    def begin(self) -> None:
        self.given_at_start, self.taken_at_start = self.given, self.taken


@dataclass(slots=True)
class _DeviceMeter:
    kind: DerKind
    registers: _Registers = field(default_factory=_Registers)
    counter: int | None = None


class Meter:
    """Meters one node. It must see an image at every interval boundary: `next_boundary` says when."""

    def __init__(self, interval_ns: int, kinds: Mapping[str, DerKind], first: ProcessImage) -> None:
        """Metering begins with the image `first`; an interval that has begun before is not complete."""
        self._interval_ns = interval_ns
        self._connection = _Registers()
        self._devices = {name: _DeviceMeter(kind) for name, kind in kinds.items()}
        self._cell_ns = first.time.cell_ns
        self._complete = self._cell_ns % interval_ns == 0
        self._read(first)

    @property
    def interval(self) -> int:
        """The interval being metered."""
        return self._cell_ns // self._interval_ns

    @property
    def net_energy(self) -> int:
        """Contribution less consumption in this interval so far, in mWh."""
        given, taken = self._connection.since_start()
        return given - taken

    @property
    def next_boundary(self) -> int:
        """The cell time at which this interval ends."""
        return (self.interval + 1) * self._interval_ns

    def running(self, image: ProcessImage) -> RunningMeter:
        """What a successor needs to go on within the interval; `image` is the one that was added last."""
        power_w = {device.name: device.power_w.value for device in image.devices}
        devices = tuple(
            RunningDevice(name, meter.registers.running(), power_w.get(name))
            for name, meter in self._devices.items()
        )
        return RunningMeter(self._cell_ns, self._complete, self._connection.running(), devices)

    def resume(self, running: RunningMeter, *, held: bool) -> None:
        """Go on where another meter stopped, right after the first image.

        What flowed in between counts at the power measured last; the interval stays complete only if setpoints `held`
        all the while. Nothing is taken on from another interval.
        """
        gap_ns = self._cell_ns - running.cell_ns
        if running.cell_ns // self._interval_ns != self.interval or gap_ns < 0:
            return
        known = all(meter.counter is not None for meter in self._devices.values())
        same = {each.name for each in running.devices} == self._devices.keys()
        powers = [each.power_w for each in running.devices]
        self._complete = running.complete and held and known and same and None not in powers
        self._connection.resume(running.connection)
        net = 0
        for each in running.devices:
            energy = round((each.power_w or 0.0) * gap_ns * PICOJOULES_PER_WATT_NS)
            net += energy
            if each.name in self._devices:
                self._devices[each.name].registers.resume(each.registers)
                self._devices[each.name].registers.add(energy)
        self._connection.add(net)

    def add(self, image: ProcessImage) -> MeterRecord | None:
        """Meter what happened since the last image; the record of the interval if it has just ended.

        Raises ValueError for an image beyond the interval's end: what lies on either side could not be told
        apart.
        """
        interval, boundary = self.interval, self.next_boundary
        if image.time.cell_ns > boundary:
            raise ValueError(f"the image at {image.time.cell_ns} lies beyond the boundary {boundary}")
        self._read(image)
        self._cell_ns = max(self._cell_ns, image.time.cell_ns)
        if self._cell_ns < boundary:
            return None
        record = self._record(interval)
        self._begin(image)
        return record

    def _read(self, image: ProcessImage) -> None:
        net = 0
        for device in image.devices:
            meter = self._devices[device.name]
            if device.counter is None:
                self._complete = False
                continue
            if meter.counter is not None:
                energy = device.counter - meter.counter
                meter.registers.add(energy)
                net += energy
            meter.counter = device.counter
        self._connection.add(net)

    def _record(self, interval: int) -> MeterRecord:
        contribution, consumption = self._connection.since_start()
        return MeterRecord(
            interval=interval,
            contribution=contribution,
            consumption=consumption,
            complete=self._complete,
            devices=tuple(
                DeviceEnergy(name, meter.kind, *meter.registers.since_start())
                for name, meter in self._devices.items()
            ),
        )

    def _begin(self, image: ProcessImage) -> None:
        self._connection.begin()
        for meter in self._devices.values():
            meter.registers.begin()
        self._complete = all(device.counter is not None for device in image.devices)
