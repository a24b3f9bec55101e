"""Shell: the control process: `python -m devices.process.control_process --config FILE [--take-over]`.

It holds the hardware, whatever becomes of the daemon: it cycles at a fixed pace on the machine's monotonic
clock, takes leases from the local socket and gives images, meter records and alarms. It imports little, so
that it starts at once.

With `--take-over` it asks the process that holds the devices for them, once it is ready (`control_succession.py`).

Exit codes: 0 stopped (by message, SIGTERM, SIGINT, left alone for `linger_s`, or succeeded), 2 wrong configuration or
profile, 3 another process controls the directory, 4 the saved state does not read back, 5 the other one keeps them.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.control.control import ControlCore, Outcome
from devices.control.control_state import SavedState
from devices.control.hand_over import TAKE_OVER, HandOver
from devices.dispatch.cycle_record import CycleRecord
from devices.errors import (
    EXIT_ALREADY_CONTROLLED,
    EXIT_CONFIGURATION,
    EXIT_NOT_HANDED_OVER,
    EXIT_STATE,
    AlreadyControlledError,
    ConfigurationError,
    NotHandedOverError,
    ProfileError,
    StateError,
)
from devices.grid_profile import GridProfile
from devices.messages.control_messages import Downward, ImageReport, Stop, TakeOver
from devices.opening.real_devices import real_ders
from devices.opening.simulated_devices import build_ders
from devices.opening.switchgear import grid_side
from devices.process.control_files import (
    STATE_NAME,
    LatestWriter,
    load_config,
    load_grid_profile,
    load_profile,
    load_state,
    lock_directory,
    name_holder,
)
from devices.process.control_socket import ControlSocket, DaemonAttached
from devices.process.control_succession import Heir, succeed
from devices.process.dispatch_log import DispatchLog
from devices.process.going_first import Turn, go_first, in_words
from devices.process.hub_memory import HubMemory, remembered
from devices.profiles import Profile

if TYPE_CHECKING:
    from devices.control.readiness_control import ReadinessControl

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
SWITCH_S = 0.0005
"""How long another thread (a device's, the log's) may compute before the loop has its turn; Python's own 5 ms are half
of the shortest cycle."""
CLEAR_NS = 1 * NS_PER_S
"""Devices do not change hands in the last second of an interval, so that its record is whole; nor is that waited for
longer than two seconds.
"""

_Held = tuple[HandOver, tuple[Downward, ...]]
_Ended = tuple[Heir, HandOver, tuple[Downward, ...]] | None
"""Who is to have the devices, with all that holds; None when they got their reversion values."""


def main(arguments: list[str]) -> int:
    """Run until told to stop; returns the exit code and says on standard error why it is not 0."""
    if arguments[:1] != ["--config"] or arguments[2:] not in ([], [TAKE_OVER]):
        sys.stderr.write(f"usage: python -m devices.process.control_process --config FILE [{TAKE_OVER}]\n")
        return EXIT_CONFIGURATION
    try:
        control(load_config(Path(arguments[1])), take_over=TAKE_OVER in arguments)
    except (ConfigurationError, ProfileError) as error:
        return _complain(error, EXIT_CONFIGURATION)
    except AlreadyControlledError as error:
        return _complain(error, EXIT_ALREADY_CONTROLLED)
    except StateError as error:
        return _complain(error, EXIT_STATE)
    except NotHandedOverError as error:
        return _complain(error, EXIT_NOT_HANDED_OVER)
    return 0


def control(config: ControlConfig, *, take_over: bool = False) -> None:
    """Control the devices of `config` until stopped or succeeded. Changes the process's directory and umask."""
    os.umask(0o077)
    profile = load_profile(config)
    grid_profile = load_grid_profile(config)
    directory = Path(config.data_dir).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    taken = succeed(directory) if take_over else None
    with lock_directory(directory) if taken is None else taken.lock as lock:
        # A socket's path may have 107 bytes; a relative one always fits.
        os.chdir(directory)
        holding = _Holding(config, profile, grid_profile, directory)
        if taken is None:
            ended = holding.hold(load_state(directory))
        else:
            ended = holding.hold(taken.handed.state, (taken.handed, taken.leases))
            taken.release()
        while ended is not None:
            heir, handed, leases = ended
            heir.give(lock, handed, leases)
            if not heir.outlived():
                return
            name_holder(lock)
            # What the successor saved is newer than what it was given.
            ended = holding.hold(load_state(directory), (handed, leases))


@dataclass(frozen=True, slots=True)
class _Holding:
    """What it takes to hold the devices, once or again."""

    config: ControlConfig
    profile: Profile | None
    grid_profile: GridProfile | None
    directory: Path

    def hold(self, saved: SavedState, handed: _Held | None = None) -> _Ended:
        """Control the devices until stopped (None), or until somebody has asked for them."""
        config = self.config
        if fault := go_first(Turn.BESIDE):
            sys.stderr.write(f"{in_words(fault)}\n")
        start = _now(config)
        stored_wh = {each.name: each.stored_wh for each in saved.stored}
        clock = partial(_now, config)
        with grid_side(config, self.grid_profile, clock) as side, real_ders(config, clock) as real:
            ders = build_ders(config, self.profile, stored_wh, start, side.energised) + real
            name = f"control-{os.getpid()}"
            with _foreseeing(config, self.directory) as readiness:
                core = ControlCore(
                    *(config, ders, self.profile, saved, start, name),
                    *(side.meter, side.switchgear, readiness, remembered(self.directory)),
                )
                keep_pauses_short()
                if handed is not None:
                    core.resume(*handed)
                with _shown(config) as show, _logged(config) as log, _sensed(config) as sense:
                    loop = _Loop(config, core, self.directory, Beside(show, log, sense))
                    go_first(Turn.LOOP)  # after all threads have begun
                    return loop.run()


def keep_pauses_short() -> None:
    """What of Python could hold the loop up by more than it computes: other threads, and the garbage of the start."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


@dataclass(frozen=True, slots=True)
class Beside:
    """What happens beside the loop, which waits for none of it: `show` gets every report that the daemon gets, `log`
    every cycle, and `sense` completes a report with what sensors say.
    """

    show: Callable[[ImageReport], None]
    log: Callable[[CycleRecord], None]
    sense: Callable[[ImageReport], ImageReport]


class _Loop:
    """The cycle and the socket, on one thread."""

    def __init__(self, config: ControlConfig, core: ControlCore, directory: Path, beside: Beside) -> None:
        self._beside = beside
        self._config = config
        self._core = core
        self._writer = LatestWriter(directory / STATE_NAME)
        watches = any(each.watched is not None for each in config.models)
        self._hub = HubMemory(directory, lambda: core.home_use) if watches else None
        self._socket = ControlSocket()
        self._stopping = False
        self._asked_ns: int | None = None
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)

    def run(self) -> _Ended:
        """Cycle until stopped or asked for the devices."""
        cycle_ns = self._config.cycle_ms * NS_PER_MS
        next_cycle_ns = time.monotonic_ns()
        seen_ns = next_cycle_ns
        while not (self._stopping or self._may_yield()):
            boundary_ns = self._boundary_ns()
            self._listen((min(next_cycle_ns, boundary_ns) - time.monotonic_ns()) / NS_PER_S)
            now = _now(self._config)
            if self._socket.attached:
                seen_ns = now.real_ns
            elif self._config.linger_s is not None:
                self._stopping |= now.real_ns - seen_ns > self._config.linger_s * NS_PER_S
            if now.real_ns < min(next_cycle_ns, boundary_ns):
                continue
            self._carry_out(self._core.cycle(now))
            self._beside.log(self._core.cycles[-1])
            self._carry_out(self._core.not_saved(self._writer.problem))
            if self._hub is not None:
                self._hub.keep(now)
            if now.real_ns >= next_cycle_ns:
                # After a pause the missed cycles are not made up for: the core has metered them in one.
                next_cycle_ns = max(next_cycle_ns + cycle_ns, time.monotonic_ns())
        if not self._stopping:
            return self._yield()
        self._finish()
        return None

    def _may_yield(self) -> bool:
        """Whether somebody asks for the devices, and no interval ends meanwhile if that can be."""
        if self._asked_ns is None:
            return False
        now_ns = time.monotonic_ns()
        return self._boundary_ns() - now_ns > CLEAR_NS or now_ns - self._asked_ns > 2 * CLEAR_NS

    def _yield(self) -> _Ended:
        """Leave the devices with their setpoints, which are leases, to a successor."""
        heir = Heir(self._socket.heir())
        self._carry_out(self._core.cycle(_now(self._config)))
        self._write_last()
        self._socket.close()
        return heir, *self._core.hand_over()

    def _boundary_ns(self) -> int:
        """The real time at which the interval ends, by the wall clock as it stands now."""
        wall_ns = self._config.clock.wall_ns(self._core.next_boundary)
        return time.monotonic_ns() + wall_ns - time.time_ns()

    def _listen(self, timeout_s: float) -> None:
        for heard in self._socket.wait(timeout_s):
            if isinstance(heard, DaemonAttached):
                self._carry_out(Outcome(self._core.greeting(os.getpid()), save=False))
            elif isinstance(heard, Stop):
                self._stopping = True
            elif isinstance(heard, TakeOver):
                self._asked_ns = time.monotonic_ns()
            else:
                self._carry_out(self._core.handle(heard, _now(self._config)))

    def _carry_out(self, outcome: Outcome) -> None:
        if outcome.save:
            self._writer.save(self._core.saved_state())
        for message in outcome.messages:
            if isinstance(message, ImageReport):
                message = self._beside.sense(message)
                self._beside.show(message)
            self._socket.send(message)

    def _finish(self) -> None:
        now = _now(self._config)
        self._carry_out(self._core.cycle(now))
        self._core.stop(now)
        self._write_last()
        self._socket.close()

    def _write_last(self) -> None:
        self._writer.close(self._core.saved_state())
        if self._hub is not None:
            self._hub.close()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


@contextmanager
def _foreseeing(config: ControlConfig, directory: Path) -> Iterator["ReadinessControl | None"]:
    """What prepares for trouble, and learns beside the loop; nothing does where none is configured."""
    if config.readiness is None:
        yield None
        return
    # Imported here, because the arrays that it needs take a tenth of a second.
    from devices.process.learner import prepared_control

    with prepared_control(config, directory) as readiness:
        yield readiness


@contextmanager
def _shown(config: ControlConfig) -> Iterator[Callable[[ImageReport], None]]:
    """What takes reports for the owner's broker; nothing does where none is configured."""
    if config.home_assistant is None:
        yield lambda report: None
        return
    # Imported here, because it takes a tenth of a second that most nodes can save.
    from devices.broker.publisher import Publisher

    publisher = Publisher(config.home_assistant)
    try:
        yield publisher.show
    finally:
        publisher.close()


@contextmanager
def _sensed(config: ControlConfig) -> Iterator[Callable[[ImageReport], ImageReport]]:
    """What completes reports with what sensors on brokers say; nothing does where there is none."""
    if not any(sensor.said for sensor in config.sensors):
        yield lambda report: report
        return
    from devices.broker.sensor_feed import sensor_feed

    with sensor_feed(config.sensors) as feed:
        yield feed.complete


@contextmanager
def _logged(config: ControlConfig) -> Iterator[Callable[[CycleRecord], None]]:
    """What takes cycles for the dispatch log; nothing does where none is configured."""
    if config.dispatch_log is None:
        yield lambda record: None
        return
    log = DispatchLog(Path(config.dispatch_log), config.dispatch_log_mb * 500_000)
    try:
        yield log.add
    finally:
        log.close()


def _now(config: ControlConfig) -> Instant:
    return Instant(time.monotonic_ns(), config.clock.cell_ns(time.time_ns()))


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
