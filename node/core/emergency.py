"""The cell's emergency at one node: its meter's findings become observations, what blocks declare a lease. Sans-IO.

What is seen is said when it changes, and again in every interval in which the public grid is gone; a node that sees
nothing (no image, an owner who stands by) says nothing, and its last word runs out. What the newest block declares
acts on the devices from its decision to the end of its interval: without a quorum no block comes, and it runs out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from devices.messages.control_messages import ImageReport
from devices.messages.orders import Declare
from devices.resilience.modes import State
from ledger.records.entries import Entry
from market.cell_state import CellState
from market.emergency.book import MOST_PER_INTERVAL, STANDS_FOR
from market.emergency.payloads import Observation, Seen, decode_observation, encode_observation
from market.errors import MalformedPayload
from market.payloads import Kind
from market.units import NS_PER_S
from node.constants import IMAGE_AGE_NS
from node.events import Effect, Now, Order, Report, SignEntry

SHOWN: Final = {
    State.CONNECTED.value: Seen.CONNECTED,
    State.DEAD_BUS.value: Seen.DEAD_BUS,
    State.BLACK_START.value: Seen.ISLANDED,
    State.ISLAND.value: Seen.ISLANDED,
    State.SYNCHRONISING.value: Seen.ISLANDED,
}
"""What the state of a site says of the grid; a site that stands by does not say."""
LONGEST_S: Final = 86_400.0
"""Real seconds for which one block may declare an emergency to the devices, however long its interval is."""


@dataclass(slots=True)
class Emergency:
    """One member's part. `said` is what its feed says last, `said_in` which interval that was."""

    member: bytes
    said: Seen = Seen.CONNECTED
    said_in: int = -1
    spent: int = 0
    _seen: Seen | None = None
    _since_ns: int = 0
    _image_real_ns: int = 0
    _declared: bool = False

    @staticmethod
    def after(member: bytes, recent: Iterable[Entry]) -> "Emergency":
        """With what the own feed says already, as far as it is read again at a start."""
        part = Emergency(member)
        for entry in recent:
            if entry.kind != Kind.OBSERVATION:
                continue
            try:
                part._remember(decode_observation(entry.payload).seen, entry.interval)
            except MalformedPayload:
                continue
        return part

    def measured(self, image: ImageReport) -> None:
        """A process image came."""
        self._image_real_ns = image.real_ns
        seen = SHOWN.get(image.island)
        if seen is not self._seen:
            self._seen, self._since_ns = seen, max(0, image.cell_ns)

    def due(self, state: CellState, now: Now) -> list[Effect]:
        """The observation that is to be said now, of a node that may speak."""
        interval = state.rules.calendar.index_of(now.cell_ns)
        rule = state.rules.member(self.member)
        if rule is None or not rule.meters(interval) or not self._is_due(interval, now):
            return []
        assert self._seen is not None
        self._remember(self._seen, interval)
        payload = encode_observation(Observation(self._seen, self._since_ns))
        fields: dict[str, object] = {"seen": self._seen.name.lower().replace("_", "-"), "interval": interval}
        return [
            SignEntry(int(Kind.OBSERVATION), interval, now.cell_ns, payload),
            Report("grid_observed", fields),
        ]

    def decided(self, state: CellState, now: Now) -> list[Effect]:
        """A block was decided: tell the devices what it declares, and that it no longer does."""
        declared, before = state.emergency.declared, self._declared
        self._declared = declared is not None
        if declared is None:
            over = Report("emergency_over", {"interval": state.last_interval})
            return [Order(Declare(0.0)), over] if before else []
        by = declared.word.name.lower()
        fields: dict[str, object] = {"interval": state.last_interval, "since": declared.since, "by": by}
        return [*self.attached(state, now), Report("emergency", fields)]

    def attached(self, state: CellState, now: Now) -> list[Effect]:
        """Devices are there: what the newest block declares, while its interval lasts."""
        left_s = (state.rules.calendar.end_ns(state.last_interval) - now.cell_ns) / now.speed / NS_PER_S
        if state.emergency.declared is None or left_s <= 0:
            return []
        return [Order(Declare(min(left_s, LONGEST_S)))]

    def _is_due(self, interval: int, now: Now) -> bool:
        if self._seen is None or now.real_ns - self._image_real_ns > IMAGE_AGE_NS:
            return False
        if interval < self.said_in or (interval == self.said_in and self.spent >= MOST_PER_INTERVAL):
            return False
        if self._seen is Seen.CONNECTED:
            return self.said is not Seen.CONNECTED and interval <= self.said_in + STANDS_FOR
        return self._seen is not self.said or interval > self.said_in

    def _remember(self, seen: Seen, interval: int) -> None:
        self.spent = self.spent + 1 if interval == self.said_in else 1
        self.said, self.said_in = seen, interval
