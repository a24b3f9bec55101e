"""A simulated home of circuits and sockets, day by day, for tests of the hub."""

import math
from collections.abc import Callable

from devices.cell_clock import Instant
from devices.hub.demand import NS_PER_S
from devices.hub.hub import Hub
from devices.hub.recognition import DeviceKind, UsbIdentity, UsbProduct
from devices.hub.watched import Watched
from devices.image import DerKind, DeviceImage, ProcessImage, Reading

DAY_S = 86_400
STEP_S = 60
PRICES = tuple(0.15 if hour < 6 else 0.35 for hour in range(24))
Power = Callable[[float, int], float]


def at_the_desk(hour: float, day: int) -> bool:
    return day % 7 < 5 and (9 + day % 3 / 2 <= hour < 12 or 13 <= hour < 17 + day % 2)


DEVICES: dict[str, Power] = {
    "laptop": lambda hour, day: 60 - 35 * (hour % 3) / 3 if at_the_desk(hour, day) else 0.4,
    "monitor": lambda hour, day: 28.0 if at_the_desk(hour, day) else 0.4,
    "router": lambda hour, day: 9.0,
    "fridge": lambda hour, day: 85.0 + 20 * math.exp(-(hour * 60 % 45)) if hour * 60 % 45 < 15 else 0.2,
    "kettle": lambda hour, day: 2100.0 if 7 <= hour < 7.06 or 16 <= hour < 16.05 else 0.0,
    "dishes": lambda hour, day: (1900.0 if hour % 1 < 0.3 else 70.0) if 18.5 <= hour < 20.4 else 0.3,
    "set-top box": lambda hour, day: 12.0 if hour < 19 or hour > 22 else 18.0,
}
WATCHED = (
    Watched("laptop", UsbIdentity(UsbProduct.NONE, 65.0, battery=True), direct_current=True),
    Watched("monitor", UsbIdentity(UsbProduct.NONE, 60.0, battery=False), may_stand_by=True),
    Watched("router"),
    Watched("fridge"),
    Watched("kettle"),
    Watched("dishes"),
    Watched("set-top box", told=DeviceKind.UNKNOWN),
)


def image(second: int, devices: dict[str, Power] = DEVICES) -> ProcessImage:
    time = Instant(second * NS_PER_S, second * NS_PER_S)
    missing = Reading.missing(time.real_ns)
    return ProcessImage(
        time,
        tuple(
            DeviceImage(
                name,
                DerKind.FLEXIBLE,
                Reading.of(-power(second % DAY_S / 3600, second // DAY_S), time.real_ns),
                missing,
                missing,
                missing,
                missing,
                0,
            )
            for name, power in devices.items()
        ),
    )


def watched_for(hub: Hub, seconds: int) -> Hub:
    for second in range(0, seconds + 1, STEP_S):
        hub.observe(image(second), NS_PER_S)
    return hub
