"""Shell: a SunSpec inverter with a battery or solar modules behind it, told and read over one Modbus connection.

Measured values come from model 701, of older devices 103; state of charge from 713, 802 or 124. A setpoint goes
into model 704 with the device's own reversion timer and reversion value, of older batteries into 124 (see
`devices.sunspec.steering`). Both heartbeats of model 715 are kept: ours is raised every second, and readings of
a device whose own stands still are not believed. W and Wh, injection positive, as in model 701.
"""

from collections.abc import Mapping

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.hardware import Exchanged, HardwareError, Order, RequestRefusedError
from devices.image import DerKind, DeviceImage, Quality, Reading, UnitCondition
from devices.limits import NOTHING, PowerRange
from devices.modbus.link import ModbusLink
from devices.sunspec.definitions import needed
from devices.sunspec.link import discover, read_block
from devices.sunspec.points import Block, UnfitValueError
from devices.sunspec.steering import Steering, choose_steering

MEASURED = (701, 103)
"""Models with the power at the terminals; the first that a device has is read."""
CHARGED = ((713, "SoC"), (802, "SoC"), (124, "ChaState"))
HEALTH = ((713, "SoH"), (802, "SoH"))
RATING, STORAGE, CONTROL = 702, 713, 715
READ = (701, 103, 702, 704, 713, 715, 802, 124)
LOCAL = 1
"""Model 715: somebody at the device has taken control of it."""
STORAGE_ERROR = 2
FAULT_701, DISCONNECTED = 6, 0
HEARTBEAT_NS = 1_000_000_000
HEARTBEAT_PATIENCE_NS = 3_000_000_000
"""A device raises its heartbeat every second; three missed ones are no accident."""
HEARTBEATS = 2**31
RATING_SLACK = 1.001
NS_PER_S = 1_000_000_000


class SunSpecInverter:
    """One inverter as `devices.drivers.hardware.Hardware`."""

    def __init__(self, name: str, nameplate: Nameplate, link: ModbusLink) -> None:
        self._name = name
        self._nameplate = nameplate
        self._link = link
        self._places: dict[int, tuple[int, int]] = {}
        self._steering: Steering | None = None
        self._beat: tuple[int, int] | None = None
        self._own_beat = 0
        self._own_beat_ns: int | None = None

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Tell the inverter and read it. Raises HardwareError; see the protocol."""
        if not self._link.connected or not self._places:
            self._meet()
        before = self._read(self._steering.models if self._steering else ())
        refused = self._beat_for_it(before, now)
        if order is not None:
            refused = self._tell(order, before) or refused
        blocks = self._read(READ)
        try:
            return Exchanged(self._image(blocks, order, now), refused)
        except UnfitValueError as error:
            raise HardwareError(f"{self._link.place}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _meet(self) -> None:
        """Look for the models, and compare what the device is with what the configuration says of it."""
        self._places = {}
        found = discover(self._link)
        kind = self._nameplate.kind
        if not any(number in found for number in MEASURED):
            raise HardwareError(f"{self._link.place}: no model of {MEASURED}: it does not tell its power")
        if kind is DerKind.BATTERY and not any(number in found for number, _ in CHARGED):
            raise HardwareError(f"{self._link.place}: no model that tells a state of charge")
        self._steering = choose_steering(kind, found)
        if self._steering is None:
            raise HardwareError(f"{self._link.place}: no model by which a {kind.value} can be controlled")
        self._beat = None
        if RATING in found:
            self._must_be_rated(read_block(self._link, needed(RATING), found[RATING]))
        self._places = found

    def _must_be_rated(self, rating: Block) -> None:
        """A nameplate larger than the device is a mistake of the configuration: its setpoints would not be reached."""
        plate = self._nameplate
        most_w = rating.number("WMaxRtg")
        limits = [("discharge_w" if plate.capacity_wh else "maximum_w", plate.maximum_w, most_w)]
        if plate.capacity_wh:
            limits[0] = ("discharge_w", plate.maximum_w, _first(rating.number("WDisChaRteMaxRtg"), most_w))
            limits.append(("charge_w", -plate.minimum_w, _first(rating.number("WChaRteMaxRtg"), most_w)))
        for key, told_w, rated_w in limits:
            if rated_w is not None and told_w > rated_w * RATING_SLACK:
                raise HardwareError(
                    f"{self._link.place}: {key} = {told_w:g} in the configuration, but the device is rated for "
                    f"{rated_w:g} W; set {key} = {rated_w:g}"
                )

    def _read(self, numbers: tuple[int, ...]) -> dict[int, Block]:
        there = (number for number in numbers if number in self._places)
        return {number: read_block(self._link, needed(number), self._places[number]) for number in there}

    def _beat_for_it(self, blocks: Mapping[int, Block], now: Instant) -> str:
        """Raise our heartbeat when a second has passed; why the device did not take it, or nothing."""
        control = blocks.get(CONTROL)
        if control is None or control.raw("ControllerHb") is None:
            return ""
        if self._own_beat_ns is not None and now.real_ns - self._own_beat_ns < HEARTBEAT_NS:
            return ""
        self._own_beat = (self._own_beat + 1) % HEARTBEATS
        self._own_beat_ns = now.real_ns
        place = control.address + control.definition.points["ControllerHb"].offset
        try:
            self._link.write(place, control.encoded("ControllerHb", self._own_beat))
        except RequestRefusedError as error:
            return f"our heartbeat: {error}"
        return ""

    def _tell(self, order: Order, blocks: Mapping[int, Block]) -> str:
        """Write the order; why the device did not take it, or nothing."""
        control = blocks.get(CONTROL)
        if control is not None and control.raw("LocRemCtl") == LOCAL:
            return f"{self._link.place}: it is under local control; release it at the device"
        assert self._steering is not None
        try:
            for address, registers in self._steering.writes(order, blocks):
                self._link.write(address, registers)
        except (RequestRefusedError, UnfitValueError) as error:
            return str(error)
        return ""

    def _image(self, blocks: Mapping[int, Block], order: Order | None, now: Instant) -> DeviceImage:
        alive = self._alive(blocks, now)
        plate = self._nameplate
        assert self._steering is not None

        def reading(value: float | None) -> Reading:
            if value is None:
                return Reading.missing(now.real_ns)
            return Reading.of(value, now.real_ns) if alive else Reading(None, now.real_ns, Quality.INVALID)

        part = _part(blocks, CHARGED) if plate.capacity_wh is not None else None
        stored_wh = None if part is None or plate.capacity_wh is None else part * plate.capacity_wh
        health = _part(blocks, HEALTH)
        return DeviceImage(
            name=self._name,
            kind=plate.kind,
            power_w=reading(_power_w(blocks)),
            setpoint_w=reading(self._steering.setpoint_w(order, blocks)),
            stored_wh=reading(stored_wh),
            state_of_charge=reading(part),
            available_w=Reading.missing(now.real_ns),
            counter=None,
            possible=_possible(blocks, part, plate, alive),
            condition=None if health is None else UnitCondition(state_of_health=reading(health)),
        )

    def _alive(self, blocks: Mapping[int, Block], now: Instant) -> bool:
        """Whether the device's own heartbeat moves; of one without a heartbeat nothing can be said against it."""
        control = blocks.get(CONTROL)
        beat = None if control is None else control.raw("DERHb")
        if not isinstance(beat, int):
            return True
        if self._beat is None or self._beat[0] != beat:
            self._beat = (beat, now.real_ns)
        return now.real_ns - self._beat[1] <= HEARTBEAT_PATIENCE_NS


def _power_w(blocks: Mapping[int, Block]) -> float | None:
    return next((blocks[number].number("W") for number in MEASURED if number in blocks), None)


def _part(blocks: Mapping[int, Block], sources: tuple[tuple[int, str], ...]) -> float | None:
    """The first percentage that is told and makes sense, as a part from 0 to 1."""
    for number, name in sources:
        percent = blocks[number].number(name) if number in blocks else None
        if percent is not None and 0 <= percent <= 100:
            return percent / 100
    return None


def _possible(
    blocks: Mapping[int, Block], part: float | None, plate: Nameplate, alive: bool
) -> PowerRange | None:
    """Nothing for a device that reports a fault or is disconnected; no discharge where the charge is not known."""
    if 701 in blocks and (blocks[701].raw("InvSt") == FAULT_701 or blocks[701].raw("ConnSt") == DISCONNECTED):
        return NOTHING
    if STORAGE in blocks and blocks[STORAGE].raw("Sta") == STORAGE_ERROR:
        return NOTHING
    if plate.kind is DerKind.BATTERY and (part is None or not alive):
        return PowerRange(plate.minimum_w, 0.0)
    return None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
