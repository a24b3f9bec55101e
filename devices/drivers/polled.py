"""Shell: a real device behind the DER protocol: a thread talks to it, so that no control cycle waits for it.

`measure` shows what the last exchange brought, with the time at which it began; `command` judges the lease at once
and leaves it to the thread, which tells the device until the lease ends and then gives it the reversion value. Should
this process end, the device's own timer does the same. W; leases run in real time, energy is counted in cell time.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import replace

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.hardware import Exchanged, Hardware, HardwareError, Order
from devices.drivers.held_setpoint import HeldSetpoint
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Accepted, Answer, Lease, Refused
from devices.limits import PowerRange

NS_PER_S = 1_000_000_000
LONGEST_GAP_NS = 5 * NS_PER_S
"""Power is taken to hold between two readings; over a longer silence nobody knows, and the interval is incomplete."""
LONGEST_PAUSE_S = 5.0
"""Between attempts to reach a device that is silent."""


class PolledDer:
    """A DER whose device is real; see the DER protocol. Call `close` in the end."""

    def __init__(
        self,
        name: str,
        nameplate: Nameplate,
        hardware: Hardware,
        clock: Callable[[], Instant],
        reversion_w: float,
        poll_s: float,
    ) -> None:
        """`reversion_w` holds after a lease of which nothing else is known; `poll_s` is the pause between looks."""
        self._name = name
        self._nameplate = nameplate
        self._hardware = hardware
        self._clock = clock
        self._poll_s = poll_s
        self._setpoint = HeldSetpoint(PowerRange(nameplate.minimum_w, nameplate.maximum_w), reversion_w)
        self._lease: Lease[float] | None = None
        self._told: float | None = None
        self._at = clock()
        self._image = _silent(name, nameplate, self._at)
        self._fault = "it has not answered yet"
        self._counter = 0
        self._shown: DeviceImage | None = None
        self._shown_at = self._at
        self._begun = self._done = 0
        self._asked = False
        self._closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"device {name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What the configuration says that the device may do."""
        return self._nameplate

    @property
    def fault(self) -> str:
        """Why the last exchange failed or its order was refused; empty when all is well."""
        with self._condition:
            return self._fault

    def measure(self, now: Instant) -> DeviceImage:
        """What the device said last; energy is counted on until `now` at the power it then had."""
        with self._condition:
            if self._shown is not None and now.real_ns <= self._shown_at.real_ns:
                return self._shown
            image = replace(self._image, counter=self._counter_at(now))
            self._shown, self._shown_at = image, now
            return image

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Take a setpoint and leave it to the thread. While the device cannot be reached or refuses, this says so;
        the thread tries the newest lease all the same.
        """
        if self._nameplate.kind is DerKind.LOAD:
            return Refused("must-run loads take no setpoint")
        with self._condition:
            answer = self._setpoint.offer(lease, now)
            if isinstance(answer, Refused):
                return answer
            self._lease = lease
            if lease.value != self._told:
                self._condition.notify_all()
            return Refused(self._fault) if self._fault else Accepted()

    def refresh(self, timeout_s: float) -> bool:
        """Wait for an exchange that begins from now on; false when it has not ended in time."""
        with self._condition:
            wanted = self._begun + 1
            self._asked = True
            self._condition.notify_all()
            return self._condition.wait_for(lambda: self._done >= wanted, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Give the device what it was told last, and let it go."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        failures = 0
        while True:
            with self._condition:
                closing = self._closing
                self._begun += 1
                self._asked = False
                now = self._clock()
                order = self._order(now)
                self._told = None if order is None else order.power_w
            try:
                exchanged = self._hardware.exchange(order, now)
                failures = 0
            except HardwareError as error:
                failures += 1
                exchanged = Exchanged(_silent(self._name, self._nameplate, now), str(error))
            with self._condition:
                self._take(exchanged, now)
                self._done = self._begun
                self._condition.notify_all()
                if closing:
                    break
                self._rest(failures)
        self._hardware.close()

    def _rest(self, failures: int) -> None:
        """Pause until the next look: sooner for a new setpoint, later for a device that stays silent."""
        pause_s = min(self._poll_s * 2 ** min(failures, 10), max(LONGEST_PAUSE_S, self._poll_s))

        def wanted() -> bool:
            return self._closing or self._asked or (not failures and self._order_changed())

        self._condition.wait_for(wanted, pause_s)

    def _order_changed(self) -> bool:
        return self._lease is not None and self._setpoint.at(self._clock().real_ns) != self._told

    def _order(self, now: Instant) -> Order | None:
        lease = self._lease
        if lease is None:
            return None
        if not lease.active(now.real_ns):
            return Order(lease.reversion, lease.reversion, None)
        return Order(lease.value, lease.reversion, (lease.expires_ns - now.real_ns) / NS_PER_S)

    def _take(self, exchanged: Exchanged, now: Instant) -> None:
        """Keep what came, and count the energy since the last time."""
        counted = self._counter_at(now)
        self._counter = self._counter if counted is None else counted
        self._image, self._fault, self._at = exchanged.image, exchanged.refused, now

    def _counter_at(self, now: Instant) -> int | None:
        power_w = self._image.power_w.value
        if power_w is None or now.real_ns - self._at.real_ns > LONGEST_GAP_NS:
            return None
        passed_ns = max(0, now.cell_ns - self._at.cell_ns)
        return self._counter + math.floor(power_w * 1000 * passed_ns)


def _silent(name: str, nameplate: Nameplate, now: Instant) -> DeviceImage:
    missing = Reading.missing(now.real_ns)
    return DeviceImage(name, nameplate.kind, missing, missing, missing, missing, missing, None)
