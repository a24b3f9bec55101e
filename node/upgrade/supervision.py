"""How a node goes from one release to the next, and back when that is no good: a state machine without I/O.

One daemon runs at a time. An upgrade asks it to end without stopping the control process, which goes on holding the
devices under their leases and limits; then the new release is started on trial. It is kept when it has said that it is
ready, stayed alive for the length of the trial, and does its part in the cell again if its predecessor did. Otherwise
it is ended and the one before it is started. Time is an argument, in seconds of real time.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

END_S: Final = 30.0
"""For a daemon to end when it is asked to; then it is killed: its control process holds the devices all the same."""

START_S: Final = 120.0
"""For a release to say that it is ready, on a small busy machine."""

SILENCE_S: Final = 30.0
"""Without a word of being alive, of which there is one every five seconds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What must survive: the release that runs (None: the installation itself), the one before it, the one on trial,
    and how the last upgrade ended. A trial that is still there at a start was interrupted: it failed.
    """

    current: str | None = None
    previous: str | None = None
    trial: str | None = None
    outcome: tuple[str, bool, str] | None = None
    """Version, whether it was kept, and why not."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the daemon of a release; None: of the installation itself."""

    version: str | None


@dataclass(frozen=True, slots=True)
class HandOver:
    """Ask the daemon to end, and to leave the control process to its successor."""


@dataclass(frozen=True, slots=True)
class AskToStop:
    """Ask the daemon to end, and to give the devices their reversion values."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End the daemon at once."""


@dataclass(frozen=True, slots=True)
class Remember:
    """Make this durable before anything that follows."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Leave:
    """End, with this exit status."""

    status: int


Effect = Start | HandOver | AskToStop | Kill | Remember | Leave


SIGTERM: Final = 15
"""A daemon that is asked to stop before it can listen for that dies of it, and has nothing to hand back yet."""


class Phase(Enum):
    """What is going on."""

    RUNNING = "running"
    ENDING = "ending"
    TRIAL = "trial"
    GIVING_UP = "giving-up"
    STOPPING = "stopping"


class Supervision:
    """The state machine of one node's daemons."""

    def __init__(self, memory: Memory, trial_s: float) -> None:
        self.memory = memory
        self.phase = Phase.RUNNING
        self._trial_s = trial_s
        self._began_s = 0.0
        self._heard_s: float | None = None
        self._alive_s = 0.0
        self._ready = False
        self._was_ready = False
        self._reason = ""

    def start(self, now_s: float) -> list[Effect]:
        """The first effects. An interrupted trial is given up."""
        effects: list[Effect] = []
        if self.memory.trial is not None:
            effects = self._remember(
                replace(
                    self.memory,
                    trial=None,
                    outcome=(self.memory.trial, False, "the supervisor ended during the trial"),
                )
            )
        return [*effects, *self._begin(Phase.RUNNING, self.memory.current, now_s)]

    def requested(self, version: str, now_s: float) -> list[Effect]:
        """Somebody wants another release, which is installed. Only while one runs undisturbed."""
        if self.phase is not Phase.RUNNING or version == self.memory.current:
            return []
        self.phase, self._began_s, self._was_ready = Phase.ENDING, now_s, self._ready
        return [*self._remember(replace(self.memory, trial=version, outcome=None)), HandOver()]

    def heard(self, fields: dict[str, str], readiness: str, now_s: float) -> list[Effect]:
        """The daemon said something by the protocol of the service manager."""
        if fields.get("READY") == "1" and self._heard_s is None:
            self._heard_s = self._alive_s = now_s
        if fields.get("WATCHDOG") == "1":
            self._alive_s = now_s
        if readiness in fields:
            self._ready = fields[readiness] == "1"
        return self.tick(now_s)

    def exited(self, status: int, now_s: float) -> list[Effect]:
        """The daemon is gone."""
        match self.phase:
            case Phase.RUNNING:
                return [Leave(status)]
            case Phase.STOPPING:
                return [Leave(0 if status == -SIGTERM else status)]
            case Phase.ENDING:
                return self._begin(Phase.TRIAL, self.memory.trial, now_s)
            case Phase.TRIAL:
                return self._go_back(f"it ended with status {status}", now_s)
            case Phase.GIVING_UP:
                return self._go_back(self._reason, now_s)
        assert_never(self.phase)

    def asked_to_stop(self, now_s: float) -> list[Effect]:
        """The service manager or a person wants everything to end. A release on trial has not proved itself."""
        if self.phase is Phase.STOPPING:
            return []
        effects: list[Effect] = []
        if self.memory.trial is not None:
            outcome = (self.memory.trial, False, self._reason or "everything was stopped during the trial")
            effects = self._remember(replace(self.memory, trial=None, outcome=outcome))
        self.phase, self._began_s = Phase.STOPPING, now_s
        return [*effects, AskToStop()]

    def tick(self, now_s: float) -> list[Effect]:
        """Time has passed."""
        match self.phase:
            case Phase.ENDING if now_s - self._began_s > END_S:
                self._began_s = now_s
                return [Kill()]
            case Phase.TRIAL:
                return self._judge(now_s)
        return []

    def _judge(self, now_s: float) -> list[Effect]:
        if self._heard_s is None:
            late = now_s - self._began_s > START_S
            return self._give_up(f"it was not ready after {START_S:.0f} s") if late else []
        if now_s - self._alive_s > SILENCE_S:
            return self._give_up(f"it was silent for {SILENCE_S:.0f} s")
        if now_s - self._heard_s < self._trial_s:
            return []
        if self._was_ready and not self._ready:
            late = now_s - self._heard_s > self._trial_s + START_S
            return (
                self._give_up("it does not do its part in the cell, as the one before it did") if late else []
            )
        version = self.memory.trial
        assert version is not None, "a trial has a release"
        self.phase = Phase.RUNNING
        return self._remember(
            Memory(current=version, previous=self.memory.current, outcome=(version, True, ""))
        )

    def _give_up(self, reason: str) -> list[Effect]:
        self.phase, self._reason = Phase.GIVING_UP, reason
        return [Kill()]

    def _go_back(self, reason: str, now_s: float) -> list[Effect]:
        version = self.memory.trial
        assert version is not None, "a trial has a release"
        remembered = self._remember(replace(self.memory, trial=None, outcome=(version, False, reason)))
        self._reason = ""
        return [*remembered, *self._begin(Phase.RUNNING, self.memory.current, now_s)]

    def _begin(self, phase: Phase, version: str | None, now_s: float) -> list[Effect]:
        self.phase, self._began_s = phase, now_s
        self._heard_s, self._alive_s, self._ready = None, now_s, False
        return [Start(version)]

    def _remember(self, memory: Memory) -> list[Effect]:
        self.memory = memory
        return [Remember(memory)]
