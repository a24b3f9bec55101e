"""Several batteries as one DER: power, energy, state of charge and efficiency, commanded as one. W, Wh, discharge
positive.

A virtual battery is itself a DER of kind battery, so one may be a member of another. A setpoint is split so that the
states of charge come together; no member is discharged below its own floor (its owner's reserve) or charged above
full, and one whose state of charge is unknown rests. A full or an empty member puts nobody else on hold.
"""

import math
from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.der import Der, Nameplate
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Accepted, Answer, Lease, Refused
from devices.swarm.shares import equalised
from devices.swarm.view import Member, Request, SwarmView

MW_PER_W = 1000
MWH_PER_WH = 1000
HOLD_S = 60
"""A setpoint may outlive its controller by a minute: what is given must be there for so long."""
BALANCE_S = 3600
"""Members drift together over an hour: fast enough for a day's cycle, slow enough that all share every load."""


@dataclass(frozen=True, slots=True)
class Part:
    """A member: a DER that stores, and the energy that stays in it, its owner's."""

    der: Der
    floor_wh: float


class VirtualBattery:
    """A DER of kind battery, made of others; see the DER protocol.

    What it reports as stored counts only members whose state of charge is known. A setpoint that its members
    cannot give together is accepted like a real battery's, and reads back as what they were told.
    """

    def __init__(self, name: str, parts: tuple[Part, ...]) -> None:
        """Needs at least one member, each with a capacity and a name of its own (ValueError)."""
        names = {part.der.name for part in parts}
        if not parts or len(names) < len(parts) or any(_capacity_wh(part.der) <= 0 for part in parts):
            raise ValueError("a virtual battery needs members that store, each with a name of its own")
        self._name = name
        self._parts = parts
        self._nameplate = _nameplate([part.der.nameplate for part in parts])
        self._images: dict[str, DeviceImage] = {}

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """The members' together."""
        return self._nameplate

    @property
    def floor_wh(self) -> float:
        """What stays stored in all members together."""
        return sum(part.floor_wh for part in self._parts)

    def measure(self, now: Instant) -> DeviceImage:
        """Read every member; what some do not know is not known of the whole, but for the energy stored."""
        images = {part.der.name: part.der.measure(now) for part in self._parts}
        self._images = images
        stored = [image.stored_wh for image in images.values() if image.stored_wh.value is not None]
        stored_wh = _sum(stored, now) if stored else Reading.missing(now.real_ns)
        capacity_wh = self._nameplate.capacity_wh or 0.0
        counters = [image.counter for image in images.values()]
        return DeviceImage(
            name=self._name,
            kind=DerKind.BATTERY,
            power_w=_sum([image.power_w for image in images.values()], now),
            setpoint_w=_sum([image.setpoint_w for image in images.values()], now),
            stored_wh=stored_wh,
            state_of_charge=Reading.missing(now.real_ns)
            if stored_wh.value is None
            else Reading.of(stored_wh.value / capacity_wh, stored_wh.real_ns),
            available_w=Reading.missing(now.real_ns),
            counter=None
            if any(counter is None for counter in counters)
            else sum(counter for counter in counters if counter is not None),
        )

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Split a setpoint over the members, each under a lease of the same times.

        Refused when it is no finite number or outside the nameplate, and then nothing changed. Refused, too, when
        a member refuses its part: the others hold theirs.
        """
        for power_w in (lease.value, lease.reversion):
            if not (
                math.isfinite(power_w) and self._nameplate.minimum_w <= power_w <= self._nameplate.maximum_w
            ):
                return Refused(f"{power_w} W is outside the nameplate")
        self._images = {part.der.name: part.der.measure(now) for part in self._parts}
        values = self.split_w(lease.value)
        reversions = self._spread_w(lease.reversion)
        reasons = []
        for part in self._parts:
            name = part.der.name
            own = Lease(
                values[name],
                reversions[name],
                lease.issued_ns,
                lease.expires_ns,
                lease.issuer,
                lease.sequence,
            )
            answer = part.der.command(own, now)
            if isinstance(answer, Refused):
                reasons.append(f"{name}: {answer.reason}")
        return Refused("; ".join(reasons)) if reasons else Accepted()

    def split_w(self, power_w: float) -> dict[str, float]:
        """Each member's part of a power, as last measured: together the power, or as much as there is, to 1 mW."""
        members = [self._member(part) for part in self._parts]
        request = Request(self._name, round(power_w * MW_PER_W), HOLD_S, health=0)
        shares = equalised(SwarmView(members), request, balance_s=BALANCE_S)
        return {
            name: power_mw / MW_PER_W
            for name, power_mw in zip(shares.ids, shares.power_mw.tolist(), strict=True)
        }

    def _member(self, part: Part) -> Member:
        der, plate = part.der, part.der.nameplate
        image = self._images.get(der.name)
        stored_wh = None if image is None else image.stored_wh.value
        if stored_wh is None:
            return Member(der.name, "", 0, 0, 0, 0, 0, 0)
        capacity_wh = _capacity_wh(der)
        above_wh = max(0.0, stored_wh - part.floor_wh) * plate.discharge_efficiency
        room_wh = max(0.0, capacity_wh - stored_wh) / plate.charge_efficiency
        return Member(
            id=der.name,
            branch="",
            up_mw=math.floor(plate.maximum_w * MW_PER_W),
            down_mw=math.floor(-plate.minimum_w * MW_PER_W),
            up_energy=math.floor(above_wh * MWH_PER_WH),
            down_energy=math.floor(room_wh * MWH_PER_WH),
            stored=math.floor(stored_wh * MWH_PER_WH),
            capacity=math.ceil(capacity_wh * MWH_PER_WH),
        )

    def _spread_w(self, power_w: float) -> dict[str, float]:
        """A power in proportion to the nameplates: for reversions, which must hold whatever becomes of charge."""
        plate = self._nameplate
        whole_w = plate.maximum_w if power_w > 0 else plate.minimum_w
        part = power_w / whole_w if whole_w else 0.0
        return {
            each.der.name: part
            * (each.der.nameplate.maximum_w if power_w > 0 else each.der.nameplate.minimum_w)
            for each in self._parts
        }


def _capacity_wh(der: Der) -> float:
    return der.nameplate.capacity_wh or 0.0


def _sum(readings: list[Reading], now: Instant) -> Reading:
    """The sum, as old as its oldest part; missing when one is."""
    values = [reading.value for reading in readings if reading.value is not None]
    if len(values) < len(readings):
        return Reading.missing(now.real_ns)
    return Reading.of(sum(values), min(reading.real_ns for reading in readings))


def _nameplate(plates: list[Nameplate]) -> Nameplate:
    """Powers and capacities add up; efficiencies are those of all at full power; the slowest response counts."""
    charge_w = -sum(plate.minimum_w for plate in plates)
    discharge_w = sum(plate.maximum_w for plate in plates)
    ramps = [plate.ramp_w_per_s for plate in plates if plate.ramp_w_per_s is not None]
    taken_w = sum(-plate.minimum_w * plate.charge_efficiency for plate in plates)
    drawn_w = sum(plate.maximum_w / plate.discharge_efficiency for plate in plates)
    return Nameplate(
        kind=DerKind.BATTERY,
        minimum_w=-charge_w,
        maximum_w=discharge_w,
        capacity_wh=sum(plate.capacity_wh or 0.0 for plate in plates),
        charge_efficiency=taken_w / charge_w if charge_w else 1.0,
        discharge_efficiency=discharge_w / drawn_w if drawn_w else 1.0,
        ramp_w_per_s=sum(ramps) if ramps else None,
        response_s=max(plate.response_s for plate in plates),
    )
