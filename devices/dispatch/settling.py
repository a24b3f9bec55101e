"""Whether setpoints arrive: a command counts as done only when it reads back and the measured power agrees.
W.
"""

from collections.abc import Mapping

from devices.der import Nameplate
from devices.dispatch.cycle_record import ReadBack
from devices.image import DerKind, ProcessImage
from devices.power.allocation import Setpoint

READ_BACK_W = 1.0
"""Registers of real devices hold whole watts."""
POWER_PART = 0.02
"""Measured power may differ from the setpoint by 2 % of the nameplate: the class of common inverters' meters.
"""


class Settling:
    """Remembers what was told and since when it has not been reached."""

    def __init__(self, nameplates: Mapping[str, Nameplate], patience_ns: int) -> None:
        """A device is overdue when it has not followed for `patience_ns` and its own response time (real
        time).
        """
        self._nameplates = nameplates
        self._patience_ns = patience_ns
        self._told: tuple[Setpoint, ...] = ()
        self._unreached_since: dict[str, int] = {}

    def told(self, setpoints: tuple[Setpoint, ...]) -> None:
        """What the devices have just been told."""
        self._told = setpoints

    def check(self, image: ProcessImage, max_age_ns: int) -> tuple[ReadBack, ...]:
        """Compare an image with what was told before it."""
        now_ns = image.time.real_ns
        devices = {device.name: device for device in image.devices}
        read_backs = []
        for setpoint in self._told:
            device = devices[setpoint.name]
            read_back = ReadBack(
                setpoint.name,
                setpoint.power_w,
                device.setpoint_w.usable(now_ns, max_age_ns),
                device.power_w.usable(now_ns, max_age_ns),
            )
            read_backs.append(read_back)
            if self.reached(read_back):
                self._unreached_since.pop(setpoint.name, None)
            else:
                self._unreached_since.setdefault(setpoint.name, now_ns)
        return tuple(read_backs)

    def reached(self, read_back: ReadBack) -> bool:
        """Whether the device took the setpoint and its power shows it; PV and a flexible load
        must only stay within their limits.
        """
        if read_back.setpoint_w is None or read_back.power_w is None:
            return False
        if abs(read_back.setpoint_w - read_back.told_w) > READ_BACK_W:
            return False
        nameplate = self._nameplates[read_back.name]
        tolerance_w = POWER_PART * max(nameplate.maximum_w, -nameplate.minimum_w)
        excess_w = read_back.power_w - read_back.told_w
        if nameplate.kind is DerKind.FLEXIBLE:
            return excess_w >= -tolerance_w
        return (excess_w if nameplate.kind is DerKind.PV else abs(excess_w)) <= tolerance_w

    def overdue(self, name: str, now_ns: int) -> bool:
        """Whether a device has not followed for longer than it may take."""
        since_ns = self._unreached_since.get(name)
        patience_ns = self._patience_ns + round(self._nameplates[name].response_s * 1e9)
        return since_ns is not None and now_ns - since_ns > patience_ns
