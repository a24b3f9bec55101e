"""Readiness acting in the control process: from what is measured to a level, and from a level to a wish and an arming.

A core: time is an argument, and who learns beside it is given. What is not known is never taken as known: without a
reading the level stays, for it is no reason to relax, and without a state of charge nothing is charged or discharged.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from devices.configuration.control_config import ControlConfig
from devices.dispatch.dispatch import SafeState
from devices.dispatch.observation import Commission
from devices.image import DerKind, ProcessImage
from devices.messages.control_messages import ImageReport, Mode
from devices.power.preparing import Preparing
from devices.prediction.experience import Predictor, Shape, untaught
from devices.prediction.foresight import Foresight
from devices.prediction.kept import Kept
from devices.prediction.readiness import Level, Readiness, Trouble, next_readiness, preparation
from devices.prediction.readiness_config import ReadinessConfig

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
LEARN_EVERY = 720
"""Readings between two lessons: half a day of minutes, or twelve minutes of seconds."""


class Teacher(Protocol):
    """Learns and keeps beside the loop, which never waits for it."""

    def offer(self, kept: Kept, *, learn: bool) -> None:
        """Keep this over a restart, and learn from it first if asked to. What waited is replaced."""
        ...

    def taught(self) -> Predictor | None:
        """A predictor that was learned since the last time, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a control process begins with: a predictor fitted beforehand, which goes first, and what was kept."""

    predictor: Predictor | None = None
    kept: Kept | None = None


class ReadinessControl:
    """One node's readiness. Call `commission` once per cycle."""

    def __init__(self, config: ControlConfig, teacher: Teacher, beginning: Beginning) -> None:
        """Raises ValueError when `config` has no readiness."""
        if config.readiness is None:
            raise ValueError("no readiness is configured")
        self._config: ReadinessConfig = config.readiness
        self._age_ns = config.reading_age_ms * NS_PER_MS
        self._teacher = teacher
        self._held = Readiness()
        self._lessons = 0
        self._resumed = kept = beginning.kept
        predictor = beginning.predictor or (untaught(self._config) if kept is None else kept.predictor)
        self._foresight = Foresight(Shape.of(self._config), predictor)
        if kept is not None:
            self._foresight.remember(kept.readings, kept.first)

    @property
    def level(self) -> Level:
        """How ready the node is."""
        return self._held.level

    @property
    def ready(self) -> bool:
        """Whether it expects trouble."""
        return self._held.level is Level.READY

    @property
    def text(self) -> str:
        """What it expects, in words."""
        probability = self._foresight.probability
        said = "unknown" if probability is None else f"{probability:.0%}"
        what = (
            "frequency leaves its band" if self._config.against is Trouble.FREQUENCY else "the site overloads"
        )
        return f"{what} within {self._config.horizon_s} s: {said}"

    def commission(self, commission: Commission, image: ProcessImage, *, connected: bool) -> Commission:
        """The commission with what readiness adds to it; nothing on an island, in standby or without a daemon."""
        self._look(image)
        asked = preparation(self.level, self._config.against, self._config.rules)
        idle = commission.mode is not Mode.GRID_SUPPORT or isinstance(commission.wish, SafeState)
        if idle or not connected or asked.charge is None:
            return commission
        lowest, highest = asked.charge
        armed = {each.curve.name for each in commission.armed}
        own = tuple(each for each in self._config.asked(asked) if each.curve.name not in armed)
        return replace(
            commission,
            armed=commission.armed + own,
            preparing=Preparing(
                lowest,
                highest,
                self._config.charge_w,
                self._config.discharge_w,
                self._config.limit_w,
                self._config.before_position,
            ),
        )

    def shown(self, report: ImageReport) -> ImageReport:
        """The report with how ready the node is."""
        return replace(report, readiness=self.level.value, trouble=self._foresight.probability)

    def kept(self) -> Kept:
        """What to keep over a restart."""
        foresight = self._foresight
        return Kept(self._held, foresight.first, foresight.readings.copy(), foresight.predictor)

    def _look(self, image: ProcessImage) -> None:
        if self._resumed is not None:
            self._resume(self._resumed, image.time.cell_ns)
            self._resumed = None
        taught = self._teacher.taught()
        if taught is not None:
            self._foresight.predictor = taught
        if not self._foresight.take(self._value(image), image.time.cell_ns):
            return
        before = self._held.level
        self._held = next_readiness(
            self._held, self._foresight.probability, self._config.every_s, self._config.rules
        )
        self._lessons += 1
        learn = self._config.learn and self._lessons % LEARN_EVERY == 0
        if learn or self._held.level is not before:
            self._teacher.offer(self.kept(), learn=learn)

    def _resume(self, kept: Kept, cell_ns: int) -> None:
        """As ready as before a restart that was short; after a long one what was expected is over."""
        end_ns = (kept.first + kept.readings.size) * self._config.every_s * NS_PER_S
        longest_s = self._config.rules.hold_s + self._config.horizon_s
        if 0 <= cell_ns - end_ns <= longest_s * NS_PER_S:
            self._held = kept.readiness

    def _value(self, image: ProcessImage) -> float | None:
        """Frequency, or what the site draws without its batteries; None while it is not known.

        Batteries do not count, or charging in time would itself look like the trouble.
        """
        now_ns = image.time.real_ns
        if self._config.against is Trouble.FREQUENCY:
            return None if image.grid is None else image.grid.frequency_hz.usable(now_ns, self._age_ns)
        powers = [
            each.power_w.usable(now_ns, self._age_ns)
            for each in image.devices
            if each.kind is not DerKind.BATTERY
        ]
        known = [power_w for power_w in powers if power_w is not None]
        return -sum(known) if len(known) == len(powers) else None
