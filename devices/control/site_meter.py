"""The meter at the connection: what it shows less what every other device shows is what the rest of the site draws.

A meter is behind by up to the pause between its reports. Where a battery has moved meanwhile, the difference is wrong
by as much, and control that follows it would swing for ever. So the rest is taken anew only when the other devices
together have stood still for as long as the meter may be behind, and is held meanwhile. A core: W, injection positive,
ages in real time.
"""

import math
from collections import deque
from dataclasses import replace

from devices.configuration.control_config import ControlConfig
from devices.image import DeviceImage, ProcessImage, Reading

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
STILL_W = 1.0
"""Nothing has moved that the meter could have missed."""
NEARLY_STILL_W = 20.0
"""What readings waver by. Within it only a larger difference counts, so that control does not chase its own steps."""
HELD_WINDOWS = 3
"""So many pauses of the meter the rest is held while the others never stand still; then the middle of them is taken."""


class SiteMeter:
    """Turns the reading of the meter `name` into that of the rest of the site; `behind_s`: its longest pause."""

    def __init__(self, name: str, behind_s: float, max_age_ns: int) -> None:
        self._name = name
        # One second more: a report is an average over the one that has just passed.
        self._behind_ns = round((behind_s + 1.0) * NS_PER_S)
        self._max_age_ns = max_age_ns
        self._others: deque[tuple[int, float]] = deque()
        self._held: tuple[float, int] | None = None

    def apply(self, image: ProcessImage) -> ProcessImage:
        """The image with the rest of the site in place of the connection.

        Its energy is the meter's less the others', so that the sum of all devices is what the meter counts.
        """
        meter = next(device for device in image.devices if device.name == self._name)
        others = tuple(device for device in image.devices if device.name != self._name)
        rest = replace(
            meter, power_w=self._power(meter, others, image.time.real_ns), counter=_less(meter, others)
        )
        return replace(image, devices=tuple(rest if device is meter else device for device in image.devices))

    def _power(self, meter: DeviceImage, others: tuple[DeviceImage, ...], now_ns: int) -> Reading:
        known = [device.power_w.usable(now_ns, self._max_age_ns) for device in others]
        passing_w = meter.power_w.usable(now_ns, self._max_age_ns)
        total_w = sum(power_w for power_w in known if power_w is not None)
        if passing_w is None or any(power_w is None for power_w in known):
            self._others.clear()
            self._held = None
            return Reading.missing(now_ns)
        self._others.append((now_ns, total_w))
        while len(self._others) > 1 and self._others[1][0] <= now_ns - self._behind_ns:
            self._others.popleft()
        values = [value for _, value in self._others]
        lowest_w, highest_w = min(values), max(values)
        seen = now_ns - self._others[0][0] >= self._behind_ns
        spread_w = highest_w - lowest_w if seen else math.inf
        new_w = passing_w - (total_w if spread_w <= STILL_W else (lowest_w + highest_w) / 2)
        if self._held is None or self._counts(new_w - self._held[0], spread_w, now_ns - self._held[1]):
            self._held = (new_w, now_ns)
        return Reading.of(self._held[0], now_ns)

    def _counts(self, change_w: float, spread_w: float, held_ns: int) -> bool:
        """Whether a new difference replaces the held one, after the others have moved by `spread_w` lately."""
        if spread_w <= STILL_W or held_ns > HELD_WINDOWS * self._behind_ns:
            return True
        return spread_w <= NEARLY_STILL_W and abs(change_w) > NEARLY_STILL_W + spread_w


def site_meter(config: ControlConfig) -> SiteMeter | None:
    """The one of a site whose connection is measured; None for one that is the sum of its devices."""
    meters = [each for each in config.hardware if each.connection]
    if not meters:
        return None
    return SiteMeter(meters[0].name, meters[0].report_s, config.reading_age_ms * NS_PER_MS)


def _less(meter: DeviceImage, others: tuple[DeviceImage, ...]) -> int | None:
    left = meter.counter
    for device in others:
        if left is None or device.counter is None:
            return None
        left -= device.counter
    return left
