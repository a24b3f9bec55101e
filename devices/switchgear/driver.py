"""Shell: real switchgear on Modbus TCP behind the switchgear protocol; a thread talks to it, no control cycle waits.

Every exchange reads everything, checks it against the interlock of our own (devices/switchgear/panel.py), and only then
writes. An order counts only if it was given after control could see what was read last, so what was decided blindly,
during a silence, closes nothing and lets nothing go. What was told must show in what is read back within `settle_s`, or
it counts as refused. While a lease runs the heartbeat register is moved; with the process gone it stands still, and the
device's own watchdog lets go of the bus. A breaker stays as it is.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError, RequestRefusedError
from devices.image import GridImage
from devices.leases import Accepted, Answer, Lease, Refused, judge
from devices.modbus.link import ModbusLink, Space
from devices.resilience.switchgear import REST, SwitchOrder
from devices.switchgear.panel import UNKNOWN, ImplausibleError, Panel, dead, forbidden, panel_of
from devices.switchgear.points import Measured, State
from devices.switchgear.section import SwitchgearConfig, together

NS_PER_S = 1_000_000_000
LONGEST_ORDER_NS = 60 * NS_PER_S
LONGEST_PAUSE_S = 2.0
"""Between attempts to reach switchgear that is silent: an outage is no time to wait long."""
ALIVE_NS = 3 * NS_PER_S
"""How long the device's own register may stand still before everything that it says is stale."""


class ModbusPanel:
    """The registers of one switchgear: reads them all, and writes single ones. Methods wait for answers."""

    def __init__(self, config: SwitchgearConfig, link: ModbusLink) -> None:
        self.config = config
        self.link = link
        self._requests = together(config.points)

    def raws(self) -> dict[str, int]:
        """Every point's raw value, by its key. Raises HardwareError."""
        found: dict[tuple[str, int], int] = {}
        for kind, first, count in self._requests:
            values = self.link.read_of(Space(kind), first, count)
            found.update({(kind, first + index): value for index, value in enumerate(values)})
        return {name: found[point.kind, point.address] for name, point in self.config.points.items()}

    def read(self) -> tuple[Panel, dict[str, int]]:
        """What is believed of it, and the raw values. Raises HardwareError."""
        raws = self.raws()
        try:
            return panel_of(self.config, raws), raws
        except ImplausibleError as error:
            raise self.link.lost(str(error)) from error

    def tell(self, point: State, on: bool) -> None:
        """Command a state. Raises RequestRefusedError when the device says no, else HardwareError."""
        raw = point.on if on else point.off
        if Space(point.kind).bits:
            self.link.write_coil(point.address, bool(raw))
        else:
            self.link.write(point.address, (raw,))

    def put(self, point: Measured, raw: int) -> None:
        """Write a register. Raises as `tell`."""
        self.link.write(point.address, (raw,))


@dataclass(slots=True)
class _Pending:
    """What was told and does not show yet, since when (real ns)."""

    name: str = ""
    since_ns: int = 0


class ModbusSwitchgear:
    """`GridMeter` and `Switchgear` in one. Call `close` in the end."""

    def __init__(
        self, config: SwitchgearConfig, link: ModbusLink, clock: Callable[[], Instant], age_ns: int
    ) -> None:
        """What was read more than `age_ns` ago is unknown."""
        self._config = config
        self._panel_of = ModbusPanel(config, link)
        self._clock = clock
        self._age_ns = age_ns
        self._lease: Lease[SwitchOrder] | None = None
        self._told = REST
        self._panel = UNKNOWN
        self._seen_ns = clock().real_ns
        self._shown_ns: int | None = None
        self._fault = "it has not answered yet"
        self._energised = True
        self._beats = 0
        self._armed = False
        self._alive: tuple[int | None, int] = (None, self._seen_ns)
        self._pending = {"form": _Pending(), "close": _Pending()}
        self._done = 0
        self._closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="switchgear", daemon=True)
        self._thread.start()

    def measure(self, now: Instant) -> GridImage:
        """Both sides of the breaker as they were read last; unknown where that is too long ago."""
        with self._condition:
            return self._known(now).image(self._seen_ns)

    def command(self, lease: Lease[SwitchOrder], now: Instant) -> Answer:
        """Take an order and leave it to the thread; refused is a stale one, what our interlock forbids, and (with the
        device's own reason) what it did not do. While it cannot be reached, this says so.
        """
        with self._condition:
            answer = judge(self._lease, lease, now.real_ns, LONGEST_ORDER_NS)
            if isinstance(answer, Refused):
                return answer
            reason = forbidden(lease.value, self._known(now))
            self._lease = lease
            if reason and not self._fault:
                return Refused(reason)
            if (lease.value.form, lease.value.close_breaker) != (self._told.form, self._told.close_breaker):
                self._condition.notify_all()
            return Refused(self._fault) if self._fault else Accepted()

    def energised(self) -> bool:
        """Whether anything holds the bus, as far as was known last."""
        with self._condition:
            return self._energised

    def refresh(self, timeout_s: float) -> bool:
        """Wait for the end of an exchange; false when there was none in time."""
        with self._condition:
            wanted = self._done + 1
            return self._condition.wait_for(lambda: self._done >= wanted, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Tell it the last order, and let it go."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout_s)

    def _known(self, now: Instant) -> Panel:
        return self._panel if now.real_ns - self._seen_ns <= self._age_ns else UNKNOWN

    def _work(self) -> None:
        failures = 0
        closing = False
        while not closing:
            with self._condition:
                closing = self._closing
            begun = self._clock()
            try:
                panel, raws = self._panel_of.read()
                self._must_be_alive(raws, begun)
                fault = self._act(panel, raws, last=closing)
                failures = 0
            except HardwareError as error:
                panel, fault = UNKNOWN, str(error)
                failures += 1
                self._armed = False
            with self._condition:
                self._panel, self._fault = panel, fault
                self._seen_ns = begun.real_ns
                self._shown_ns = None if failures else self._clock().real_ns
                if panel.island_pu is not None:
                    self._energised = not dead(panel.island_pu)
                self._done += 1
                self._condition.notify_all()
                if not (closing or self._closing):
                    self._rest(failures)
        self._panel_of.link.close()

    def _rest(self, failures: int) -> None:
        poll_s = self._config.poll_ms / 1000
        pause_s = min(poll_s * 2 ** min(failures, 10), max(LONGEST_PAUSE_S, poll_s))
        self._condition.wait_for(lambda: self._closing or (not failures and self._news()), pause_s)

    def _news(self) -> bool:
        order = self._order(self._clock().real_ns)
        return (order.form, order.close_breaker) != (self._told.form, self._told.close_breaker)

    def _order(self, now_ns: int) -> SwitchOrder:
        return REST if self._lease is None else self._lease.at(now_ns)

    def _must_be_alive(self, raws: dict[str, int], now: Instant) -> None:
        """Its own register moves, or what it says is of nobody knows when. Raises HardwareError."""
        if self._config.alive is None:
            return
        counted, since_ns = self._alive
        if raws["alive"] != counted:
            self._alive = (raws["alive"], now.real_ns)
        elif now.real_ns - since_ns > ALIVE_NS:
            raise self._panel_of.link.lost(f"its register {self._config.alive.address} stands still: stale")

    def _act(self, panel: Panel, raws: dict[str, int], *, last: bool) -> str:
        """Write what the newest order asks and our interlock lets pass; why it was not done, or empty."""
        with self._condition:
            lease = self._lease
            # A lease may have come since the exchange began: by that moment's time it would not hold yet.
            now = self._clock()
        if lease is None:
            return ""
        running = lease.active(now.real_ns)
        order = lease.at(now.real_ns)
        try:
            self._beat(running)
            shown_ns = self._shown_ns
            if running and not last and (shown_ns is None or lease.issued_ns <= shown_ns):
                # Decided before anybody could see what was read last: the next order counts.
                return self._overdue(self._told, panel, now)
            self._told = order
            reason = forbidden(order, panel)
            if reason:
                return reason
            self._set_frequency(order, raws)
            self._form(order, panel, raws, now)
            self._close(order, panel, now)
        except RequestRefusedError as error:
            return str(error)
        return self._overdue(order, panel, now)

    def _beat(self, running: bool) -> None:
        """Move the heartbeat while a lease runs, and say once how long it may stand still."""
        config = self._config
        if config.heartbeat is None or not running:
            return
        if config.watchdog is not None and not self._armed:
            raw = config.watchdog.raw(config.watchdog_s)
            if raw is not None:
                self._panel_of.put(config.watchdog, raw)
        self._armed = True
        self._beats = (self._beats + 1) % 65_536
        self._panel_of.put(config.heartbeat, self._beats)

    def _set_frequency(self, order: SwitchOrder, raws: dict[str, int]) -> None:
        point = self._config.island_hz
        raw = None if point is None else point.raw(order.island_hz)
        if order.form and point is not None and raw is not None and raws["frequency_setpoint"] != raw:
            self._panel_of.put(point, raw)

    def _form(self, order: SwitchOrder, panel: Panel, raws: dict[str, int], now: Instant) -> None:
        told = self._config.form.value(raws["form"])
        if order.form == panel.forming and told == order.form:
            return
        if self._is_new("form" if order.form else "let go", self._pending["form"], now) or told != order.form:
            self._panel_of.tell(self._config.form, order.form)

    def _close(self, order: SwitchOrder, panel: Panel, now: Instant) -> None:
        """The breaker is told to close at this moment; the command is taken back as soon as it has, or must not."""
        pending = self._pending["close"]
        if order.close_breaker and panel.breaker_closed is False:
            if self._is_new("close", pending, now):
                try:
                    self._panel_of.tell(self._config.close_breaker, True)
                except RequestRefusedError:
                    pending.name = ""
                    raise
        elif pending.name:
            self._panel_of.tell(self._config.close_breaker, False)
            pending.name = ""

    def _is_new(self, name: str, pending: _Pending, now: Instant) -> bool:
        if pending.name == name:
            return False
        pending.name, pending.since_ns = name, now.real_ns
        return True

    def _overdue(self, order: SwitchOrder, panel: Panel, now: Instant) -> str:
        """What was told and does not show after `settle_s`; empty while there is nothing of the kind."""
        forming, closing = self._pending["form"], self._pending["close"]
        if panel.forming == order.form:
            forming.name = ""
        closing_name = "" if panel.breaker_closed is True else closing.name
        for name, since_ns in ((forming.name, forming.since_ns), (closing_name, closing.since_ns)):
            if name and now.real_ns - since_ns > self._config.settle_s * NS_PER_S:
                return f"it was told to {name} {(now.real_ns - since_ns) / NS_PER_S:.0f} s ago and has not"
        return ""
