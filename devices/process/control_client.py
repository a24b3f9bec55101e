"""Shell: the daemon's end of the control socket: finds or starts the control process and speaks with it
(trio).

The control process outlives the daemon on purpose; a restarted daemon finds it again by its directory.
"""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import trio

from devices.cell_clock import ClockSpec
from devices.control.hand_over import TAKE_OVER
from devices.control.standing_orders import HEARTBEAT_NS, StandingOrders
from devices.errors import (
    EXIT_CONFIGURATION,
    EXIT_NOT_HANDED_OVER,
    EXIT_STATE,
    ControlError,
    MessageError,
)
from devices.limits import PowerRange
from devices.messages.control_messages import (
    Acknowledge,
    Attached,
    Downward,
    ImageReport,
    Mode,
    Position,
    ReleaseCircuit,
    Stop,
    Upward,
)
from devices.messages.frames import FrameReader, decode_upward, encode_frame
from devices.messages.orders import Activate, Admit, Declare, Enter, Order, Release, Restrict
from devices.response.fast_response import Arming

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus

NS_PER_S = 1_000_000_000
READ_BYTES = 64 * 1024
ATTACH_S = 15.0
"""How long a control process may take to answer: eight may start at once on two cores (real time)."""
RETRY_S = 0.02
RESTART_S = 1.0
"""Between two starts: the one that holds the directory may still be on its way to the socket, or out."""
MOST_FAILURES = 5
"""Attachments in a row that may end early before the daemon is told."""
GOOD_SESSION_S = 10.0
"""An attachment that lasted so long was none of those."""
MESSAGES = 256
"""Messages that may wait for the daemon in each direction."""
STOP_S = 10.0
SILENCE_S = 10.0
"""A control process that took over and says nothing for so long is ended (real time); it reports twice a second."""


class ControlClient:
    """A connection to the control process of one data directory, kept up while `run` runs.

    `messages` yields what control says, in order: `Attached` after every (re)connection, then images, meter
    records (until acknowledged: expect repetitions) and alarms. It is bounded: images are dropped when it is
    full, records and alarms wait.
    """

    messages: trio.MemoryReceiveChannel[Upward]

    def __init__(self, config_path: Path, data_dir: Path, clock: ClockSpec, interval_s: int) -> None:
        """`config_path` is the control process's configuration file; `data_dir` the directory it names."""
        self._config_path = config_path
        self._data_dir = data_dir
        issuer = f"daemon-{os.getpid()}-{time.monotonic_ns()}"
        self._orders = StandingOrders(clock, interval_s, issuer)
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start_s = -math.inf
        self._outbox: trio.MemorySendChannel[Downward] | None = None
        self._session: trio.CancelScope | None = None
        self._started = False
        self._stopping = False
        self._tried = False
        self._waits = False
        self._old_stays = False
        self._heard_s = 0.0
        self.hands_back = False
        """The devices are with the control process of another release, which goes on holding them: leave it to them."""
        self._ended = trio.Event()
        self._inward, self.messages = trio.open_memory_channel[Upward](MESSAGES)

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Attach to the control process or start it, then serve until cancelled or stopped; started once
        attached. A control process of another release is succeeded by one of this release first.

        Raises ControlError when it cannot be reached or started after repeated attempts.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        failures = 0
        try:
            while not self._stopping:
                began_s = trio.current_time()
                async with await self._connect_or_start() as stream:
                    await self._serve(stream, task_status)
                lasted_s = trio.current_time() - began_s
                failures = 1 if lasted_s > GOOD_SESSION_S else failures + 1
                if failures > MOST_FAILURES and not self._stopping:
                    raise ControlError(
                        f"{self._data_dir}: control was lost again and again{self._last_words()}"
                    )
        finally:
            self._ended.set()

    def send_position(self, interval: int, energy: int) -> None:
        """Contracted net energy of an interval (mWh, injection positive): a lease until the interval's end.

        Never waits. What is sent while no connection is up is sent again after the next attachment, while it
        is valid.
        """
        position = Position(interval, energy)
        self._send_all(self._orders.want_position(position, time.monotonic_ns(), time.time_ns()))

    def send_limits(self, limits: PowerRange, reversion: PowerRange, duration_s: float) -> None:
        """What the connection may carry for `duration_s` of real time, and afterwards until new limits."""
        duration_ns = round(duration_s * NS_PER_S)
        self._send_all(self._orders.want_limits(limits, reversion, time.monotonic_ns(), duration_ns))

    def arm(self, arming: Arming) -> None:
        """Keep a service armed from now on; with no power either way it is armed no more."""
        self._send_all(self._orders.want_arming(arming, time.monotonic_ns()))

    def order(self, order: Order) -> None:
        """Anything besides a position; what lasts is said again after a reconnection."""
        match order:
            case Activate(activation, duration_s):
                duration_ns = round(duration_s * NS_PER_S)
                now_ns = time.monotonic_ns()
                self._send_all(self._orders.want_activation(activation, now_ns, duration_ns))
            case Restrict(limits, reversion, duration_s):
                self.send_limits(limits, reversion, duration_s)
            case Enter(mode):
                self.send_mode(mode)
            case Release(circuit):
                self.release_circuit(circuit)
            case Admit(devices):
                self._send_all([self._orders.want_access(devices)])
            case Declare(duration_s):
                now_ns = time.monotonic_ns()
                self._send_all(self._orders.want_emergency(now_ns, round(duration_s * NS_PER_S)))
            case _:
                assert_never(order)

    def send_mode(self, mode: Mode) -> None:
        """Enter a mode, the emergency stop included; it holds until another is sent."""
        self._send_all([self._orders.want_mode(mode)])

    def send_reserve(self, device: str, share: float) -> None:
        """The owner's reserve of a battery (part of its capacity); said again after every attachment."""
        self._send_all([self._orders.want_reserve(device, share)])

    def release_circuit(self, name: str) -> None:
        """Connect a circuit again that a fault has disconnected; said once, and refused with an alarm."""
        self._send_all([ReleaseCircuit(name)])

    def acknowledge(self, interval: int) -> None:
        """The meter record of `interval` is safe (in the ledger's store); control may forget it."""
        self._send_all([Acknowledge(interval)])

    async def stop(self) -> None:
        """Have control give every device its reversion value and exit; waits until it is gone and `run` has
        ended.

        Raises ControlError when it does not go.
        """
        self._stopping = True
        self._send_all([Stop()])
        with trio.move_on_after(STOP_S) as patience:
            await self._ended.wait()
            while self._process is not None and self._process.poll() is None:
                await trio.sleep(RETRY_S)
        if patience.cancelled_caught:
            raise ControlError(f"{self._data_dir}: control did not stop within {STOP_S:g} s")

    async def _connect_or_start(self) -> trio.SocketStream:
        with trio.move_on_after(ATTACH_S):
            while True:
                stream = await self._connect()
                if stream is not None:
                    return stream
                self._start_unless_running()
                await trio.sleep(RETRY_S)
        raise ControlError(f"{self._data_dir}: control does not answer{self._last_words()}")

    async def _connect(self) -> trio.SocketStream | None:
        """A stream to a control process that listens, or None."""
        directory = os.open(self._data_dir, os.O_RDONLY)
        try:
            # A socket's path may have 107 bytes; through the descriptor it always fits.
            return await trio.open_unix_socket(f"/proc/self/fd/{directory}/control.sock")
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        finally:
            os.close(directory)

    def _start_unless_running(self) -> None:
        """Start control in a session of its own, so that no signal to the daemon reaches it."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if code in (EXIT_CONFIGURATION, EXIT_STATE):
                raise ControlError(f"control refuses to start (exit code {code}){self._last_words()}")
        if trio.current_time() < self._next_start_s:
            return
        self._next_start_s = trio.current_time() + RESTART_S
        self._start()

    def _start(self, *more: str) -> None:
        command = [
            sys.executable,
            "-m",
            "devices.process.control_process",
            "--config",
            str(self._config_path),
            *more,
        ]
        with (self._data_dir / "control.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _succeed(self, pid: int, nursery: trio.Nursery) -> None:
        """Have a control process of this release take over from one of another. Tried once: who comes back stays."""
        if self._old_stays:
            return
        if not is_other_program(pid):
            self._waits = False
            if self._tried:
                nursery.start_soon(self._watch_successor)
            return
        if self._tried:
            raise self._taken_back("it died, and the one before it holds the devices again")
        self._tried = self._waits = True
        self._next_start_s = trio.current_time() + RESTART_S
        self._start(TAKE_OVER)
        nursery.start_soon(self._watch_successor)

    async def _watch_successor(self) -> None:
        """While a session lasts: notice a successor that ends before it asked, and end one that says nothing."""
        self._heard_s = trio.current_time()
        process = self._process
        while process is not None:
            await trio.sleep(HEARTBEAT_NS / NS_PER_S / 10)
            code = process.poll()
            if code == EXIT_NOT_HANDED_OVER and self._waits:
                # One that is too old to hand over goes on, as it is.
                self._old_stays, self._waits = True, False
                if self._session is not None:
                    self._session.cancel()
            elif code is not None:
                raise self._taken_back(f"it ended with status {code}")
            if trio.current_time() - self._heard_s > SILENCE_S:
                process.kill()

    def _taken_back(self, reason: str) -> ControlError:
        self.hands_back = True
        return ControlError(f"{self._data_dir}: the control process of this release is no good: {reason}")

    def _last_words(self) -> str:
        """The end of the control process's log, for an error message."""
        try:
            lines = (self._data_dir / "control.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "".join(f"\n{line}" for line in lines[-10:])

    async def _serve(self, stream: trio.SocketStream, task_status: "TaskStatus[None]") -> None:
        """One attachment, until either side ends it."""
        outbox, outgoing = trio.open_memory_channel[Downward](MESSAGES)
        attached = trio.Event()
        try:
            async with trio.open_nursery() as nursery:
                self._session, self._outbox = nursery.cancel_scope, outbox
                nursery.start_soon(self._read, stream, attached, nursery)
                nursery.start_soon(self._write, stream, outgoing, nursery.cancel_scope)
                nursery.start_soon(self._beat)
                with trio.move_on_after(ATTACH_S):
                    await attached.wait()
                if not attached.is_set():
                    if self._tried and self._process is not None:
                        self._process.kill()
                    nursery.cancel_scope.cancel()
                    return
                self._send_all(self._orders.all(time.monotonic_ns(), time.time_ns()))
                if self._stopping:
                    self._send_all([Stop()])
                if not (self._started or self._waits):
                    self._started = True
                    task_status.started()
        finally:
            self._session = self._outbox = None

    async def _read(self, stream: trio.SocketStream, attached: trio.Event, nursery: trio.Nursery) -> None:
        reader = FrameReader()
        try:
            while data := await stream.receive_some(READ_BYTES):
                for body in reader.feed(data):
                    message = decode_upward(body)
                    self._heard_s = trio.current_time()
                    await self._hand_over(message)
                    if isinstance(message, Attached):
                        attached.set()
                        self._succeed(message.pid, nursery)
        except (trio.BrokenResourceError, MessageError):
            pass
        nursery.cancel_scope.cancel()

    async def _hand_over(self, message: Upward) -> None:
        if not isinstance(message, ImageReport):
            await self._inward.send(message)
            return
        with suppress(trio.WouldBlock):
            self._inward.send_nowait(message)

    async def _write(
        self,
        stream: trio.SocketStream,
        outgoing: trio.MemoryReceiveChannel[Downward],
        session: trio.CancelScope,
    ) -> None:
        try:
            async for message in outgoing:
                await stream.send_all(encode_frame(message))
        except trio.BrokenResourceError:
            session.cancel()

    async def _beat(self) -> None:
        while True:
            now_ns = time.monotonic_ns()
            self._send_all([self._orders.heartbeat(now_ns), *self._orders.armings(now_ns)])
            await trio.sleep(HEARTBEAT_NS / NS_PER_S / 3)

    def _send_all(self, messages: Iterable[Downward]) -> None:
        """Queue messages if a connection is up; a connection that takes none is given up and made anew."""
        if self._outbox is None or self._session is None:
            return
        try:
            for message in messages:
                self._outbox.send_nowait(message)
        except trio.WouldBlock:
            self._session.cancel()


def is_other_program(pid: int) -> bool:
    """Whether a process was started from another environment than this one: that of another release."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return command.split(b"\0")[0].decode("utf-8", "replace") != sys.executable
