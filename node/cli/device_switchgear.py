"""Shell: what `wattswarm devices scan|show|test` do about switchgear: read it, and try it without closing anything."""

import time
from collections.abc import Iterator
from dataclasses import asdict

from devices.drivers.hardware import HardwareError, RequestRefusedError
from devices.modbus.link import ModbusLink
from devices.sunspec.survey import ShownValue
from devices.switchgear.driver import ModbusPanel
from devices.switchgear.panel import Panel
from devices.switchgear.points import State
from devices.switchgear.section import SwitchgearConfig
from devices.trials.trial import Step

NAME = "switchgear"
"""What it is called beside the names of devices."""
WATCH_S = 3.5
"""Longer than its own register may stand still."""


def shown_values(config: SwitchgearConfig) -> tuple[ShownValue, ...]:
    """Every point of the map: what its register says, and what is believed of it all. Raises HardwareError."""
    panel = _panel(config)
    try:
        seen, raws = panel.read()
    finally:
        panel.link.close()
    values = [ShownValue("register", name, _said(config, name, raw), "") for name, raw in raws.items()]
    believed = asdict(seen).items()
    values += [
        ShownValue("believed", name, "unknown" if each is None else str(each), "") for name, each in believed
    ]
    return tuple(values)


def try_switchgear(config: SwitchgearConfig) -> Iterator[Step]:
    """Read it, see that it lives, and write only what it holds already. Nothing closes and nothing is let go."""
    panel = _panel(config)
    try:
        seen, raws = panel.read()
        yield Step("answers", True, _words(seen))
        unknown = [name for name, each in asdict(seen).items() if each is None and _wanted(name, seen)]
        yield Step(
            "is believed",
            not unknown,
            f"unknown: {', '.join(unknown)}" if unknown else "every point is known",
        )
        yield _lives(config, panel, raws)
        yield _takes(config, panel, raws)
        yield Step(
            "closes",
            None,
            "a breaker and a former are not tried: do that by hand, with the site prepared for it",
        )
    except HardwareError as error:
        yield Step("answers", False, str(error))
    finally:
        panel.link.close()


def _panel(config: SwitchgearConfig) -> ModbusPanel:
    return ModbusPanel(config, ModbusLink(config.host, config.port, config.unit, config.timeout_ms / 1000))


def _said(config: SwitchgearConfig, name: str, raw: int) -> str:
    point = config.points[name]
    if isinstance(point, State):
        return {True: "on", False: "off", None: f"{raw}, neither on nor off"}[point.value(raw)]
    return f"{point.value(raw):g}"


def _words(panel: Panel) -> str:
    breaker = {True: "closed", False: "open", None: "unknown"}[panel.breaker_closed]
    former = {True: "forms", False: "does not form", None: "is unknown"}[panel.forming]
    return f"the breaker is {breaker}, the former {former}"


def _wanted(name: str, panel: Panel) -> bool:
    """A dead bus has no frequency, and two sides of one bus need no angle."""
    dead = {"island_hz": panel.island_pu, "grid_hz": panel.grid_pu}
    if name in dead:
        return (dead[name] or 0.0) >= 0.1
    return name != "angle" or panel.breaker_closed is False


def _lives(config: SwitchgearConfig, panel: ModbusPanel, before: dict[str, int]) -> Step:
    if config.alive is None:
        return Step(
            "lives", None, "no register `alive` is configured: values that stand still are not noticed"
        )
    end_s = time.monotonic() + WATCH_S
    while time.monotonic() < end_s:
        if panel.raws()["alive"] != before["alive"]:
            return Step("lives", True, "its own register moves")
        time.sleep(config.poll_ms / 1000)
    return Step("lives", False, f"its own register stood still for {WATCH_S:g} s")


def _takes(config: SwitchgearConfig, panel: ModbusPanel, before: dict[str, int]) -> Step:
    point = config.island_hz
    if point is None:
        return Step(
            "takes writes",
            None,
            "no register `frequency_setpoint` is configured, and nothing else is harmless",
        )
    raw = before["frequency_setpoint"]
    try:
        panel.put(point, raw)
    except RequestRefusedError as error:
        return Step("takes writes", False, str(error))
    same = panel.raws()["frequency_setpoint"] == raw
    return Step(
        "takes writes", same, f"the frequency that it holds, {point.value(raw):g} Hz, was written again"
    )
