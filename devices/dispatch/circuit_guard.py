"""Keeps the circuits of one node off after a fault: what protection decides, dispatch and drivers obey.

A core: readings and times come with the process image. A tripped circuit gets a setpoint of nothing that also
reverts to nothing, so it stays off when control dies; its trip is saved, so it stays off when control restarts.
"""

from dataclasses import dataclass

from devices.circuit_protection import Cause, CircuitState, Rating, Trip, protect, release
from devices.configuration.control_config import ControlConfig
from devices.image import ProcessImage
from devices.leases import Answer, Refused
from devices.models.load_circuit import LoadCircuit
from devices.power.allocation import Setpoint

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class HeldTrip:
    """A circuit and the trip that keeps it off."""

    name: str
    trip: Trip


class CircuitGuard:
    """Protection of every circuit that has a rating."""

    def __init__(self, config: ControlConfig, held: tuple[HeldTrip, ...]) -> None:
        """`held` are the trips of an earlier process; one of a circuit that is no longer there is forgotten."""
        self._max_age_ns = config.reading_age_ms * NS_PER_MS
        self._ratings: dict[str, Rating] = {
            each.name: each.model.rating
            for each in config.models
            if isinstance(each.model, LoadCircuit) and each.model.rating is not None
        }
        trips = {each.name: each.trip for each in held}
        self._states = {name: CircuitState(trip=trips.get(name)) for name in self._ratings}
        self._image: ProcessImage | None = None

    @property
    def trips(self) -> tuple[HeldTrip, ...]:
        """Every circuit that is off because of a fault."""
        return tuple(
            HeldTrip(name, state.trip) for name, state in self._states.items() if state.trip is not None
        )

    def standing(self, cause: Cause) -> dict[str, str]:
        """What every rated circuit's alarm of this cause says; empty for one that has no such trip."""
        return {
            name: state.trip.text if state.trip is not None and state.trip.cause is cause else ""
            for name, state in self._states.items()
        }

    def watch(self, image: ProcessImage) -> bool:
        """Judge the readings of an image; whether a circuit has tripped by them."""
        self._image = image
        before = self.trips
        for device in image.devices:
            rating = self._ratings.get(device.name)
            if rating is not None and device.circuit is not None:
                self._states[device.name] = protect(
                    self._states[device.name],
                    rating,
                    device.circuit,
                    image.time.real_ns,
                    image.time.cell_ns,
                    self._max_age_ns,
                )
        return self.trips != before

    @property
    def off(self) -> frozenset[str]:
        """Names of the circuits that are off because of a fault."""
        return frozenset(each.name for each in self.trips)

    @property
    def setpoints(self) -> tuple[Setpoint, ...]:
        """Nothing, for every circuit that is off."""
        return tuple(Setpoint(each.name, 0.0) for each in self.trips)

    def release(self, name: str) -> Answer:
        """Connect a circuit again, if its latest readings allow it."""
        state, rating = self._states.get(name), self._ratings.get(name)
        if state is None or rating is None:
            return Refused(f"no circuit {name!r} has a rating here")
        devices = {} if self._image is None else {device.name: device for device in self._image.devices}
        device = devices.get(name)
        if self._image is None or device is None or device.circuit is None:
            return Refused("nothing is known of the circuit yet")
        self._states[name], answer = release(
            state, rating, device.circuit, self._image.time.real_ns, self._max_age_ns
        )
        return answer
