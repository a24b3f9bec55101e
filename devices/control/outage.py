"""What a site does in an outage: its own, which acts in full, or one that its cell has declared. A core.

What the node finds itself goes before what others say and needs no daemon (`devices.control.island_control`). A
declared emergency only holds back, where the own meter shows no outage: batteries do not charge unless there is a
surplus, deferrable loads wait. It releases nobody's reserve, moves no switch and leaves the market's position as it is.
W, injection positive.
"""

from dataclasses import replace

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.control.island_control import NS_PER_MS, IslandControl
from devices.dispatch.cycle_record import CycleRecord
from devices.dispatch.dispatch import NetToZero
from devices.dispatch.observation import Commission, grid_reading
from devices.image import ProcessImage
from devices.leases import Answer
from devices.limits import PowerRange
from devices.messages.control_messages import ImageReport, Mode
from devices.resilience.islanding import Emergency, emergency
from devices.resilience.modes import State
from devices.resilience.node_resilience import SiteRules
from devices.resilience.switchgear import Switchgear
from devices.tier import TIERS, Tier

NO_CHARGING = PowerRange(0.0, float("inf"))
SURPLUS_HZ = SiteRules().surplus_hz
"""Above this the grid, whoever holds it, has more than it needs: batteries may charge, as on an island."""


class Outage:
    """The outages of one site. Call `commission` once per cycle, then `command`.

    `acting` is the emergency that acts, `connected` the blocks of loads that an island has on (None: all).
    """

    def __init__(self, config: ControlConfig, switchgear: Switchgear | None, issuer: str) -> None:
        """A site that does not detect islands knows of what its cell declares, and of nothing else."""
        self._age_ns = config.reading_age_ms * NS_PER_MS
        self._island = IslandControl(config, switchgear, issuer) if config.islanding else None
        self.acting = Emergency.NONE
        self.connected: tuple[str, ...] | None = None

    @property
    def lost(self) -> bool:
        """Whether the own meter shows that the public grid is gone."""
        return self._island is not None and self._island.lost

    @property
    def failed(self) -> bool:
        """Whether the own former did not bring up its bus."""
        return self._island is not None and self._island.failed

    @property
    def tiers(self) -> int:
        """How many tiers of loads are served."""
        if self.acting is Emergency.DECLARED:
            return Tier.DEFERRABLE.rank
        return len(TIERS) if self._island is None else self._island.tiers

    def commission(
        self, asked: Commission, image: ProcessImage, last: CycleRecord | None, *, declared: bool
    ) -> Commission:
        """What was asked, with what an outage makes of it; `last` is the cycle before."""
        if self._island is not None:
            asked = self._on_island(self._island, asked, image, last)
        alone = self._island is not None and self._island.emergency
        # Who stands by takes no part: its batteries rest anyway, and its loads are the owner's business.
        heeds = declared and asked.mode is Mode.GRID_SUPPORT
        self.acting = emergency(alone=alone, declared=heeds)
        if self.acting is not Emergency.DECLARED:
            return asked
        frequency_hz = grid_reading(image, self._age_ns).frequency_hz
        surplus = frequency_hz is not None and frequency_hz >= SURPLUS_HZ
        return asked if surplus else replace(asked, island=NO_CHARGING)

    def shown(self, report: ImageReport) -> ImageReport:
        """The report of a cycle with what holds of outages."""
        state = State.CONNECTED if self._island is None else self._island.state
        return replace(report, island=state.value, tiers=self.tiers, emergency=self.acting.value)

    def command(self, now: Instant) -> Answer | None:
        """Tell the switchgear; None where there is none."""
        return None if self._island is None else self._island.command(now)

    def let_go(self, now: Instant) -> None:
        """The end of control: nothing is formed any more."""
        if self._island is not None:
            self._island.let_go(now)

    def _on_island(
        self, island: IslandControl, asked: Commission, image: ProcessImage, last: CycleRecord | None
    ) -> Commission:
        orders = island.step(image, asked.mode, last)
        self.connected = orders.connect
        wish = asked.wish
        if island.emergency and asked.mode is Mode.GRID_SUPPORT:
            # No position counts on an island, and loads are served whether or not a daemon lives.
            wish = NetToZero()
        return replace(asked, wish=wish, island=orders.batteries, reserve_released=orders.reserve_released)
