"""Shell: `wattswarm devices scan|show|test`: finds, shows and safely exercises real devices before they are trusted."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from devices.broker.device import broker_of, every_topic
from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig, parse_config
from devices.configuration.hardware_config import (
    DSMR,
    MODBUS_PORT,
    MQTT,
    SUNSPEC,
    SUNSPEC_METER,
    HardwareConfig,
)
from devices.configuration.reversions import reversions
from devices.drivers.hardware import HardwareError
from devices.dsmr.meter import every_value
from devices.image import DerKind
from devices.nut.ups import NutUps
from devices.opening.real_devices import open_hardware, source_of
from devices.process.control_files import lock_directory
from devices.sunspec.survey import Found, ShownValue, survey
from devices.sunspec.survey import every_value as every_point
from devices.trials.trial import COMMON, Habits, Means, Step, exercise_w, try_device
from market.terminal import table_console
from node.cli.device_switchgear import NAME as SWITCHGEAR
from node.cli.device_switchgear import shown_values, try_switchgear
from node.configuration.config import control_table, load_config
from node.configuration.config_file import config_text
from node.errors import InputRefusedError
from node.exit_codes import ExitCode

Json = Annotated[bool, Parameter(name="--json", negative="")]
TIMEOUT_S = 0.5
MOST_UNITS = 16
"""Units are asked one after the other, and one that is not there costs the whole time limit."""
MARKS = {True: "passed", False: "FAILED", None: "not tried"}


def scan(
    config: Path | None = None,
    /,
    *,
    host: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    units: int = 1,
    as_json: Json = False,
) -> None:
    """Look for SunSpec devices where a configuration names them or at other hosts; prints tables to paste into it.

    Nothing is written to any device. Exit status 0 when a device was found, 1 when none was.

    Example: wattswarm devices scan --host 192.0.2.20 --units 3

    Parameters
    ----------
    config
        The node's configuration file; the hosts of its devices are looked at.
    host
        Another host, with a port if it is not 502: 192.0.2.20 or inverter.local:1502. May be given several times.
    units
        How many Modbus units to ask at each host, from 1 on; at most 16.
    as_json
        Print what was found as JSON.
    """
    if not 1 <= units <= MOST_UNITS:
        raise InputRefusedError(f"--units: {units} is not from 1 to {MOST_UNITS}")
    hardware = _control(config).hardware if config is not None else ()
    known = [each for each in hardware if each.driver in (SUNSPEC, SUNSPEC_METER)]
    places = dict.fromkeys([*((each.host, each.port) for each in known), *map(_place, host)])
    switchgear = None if config is None else _control(config).switchgear
    if not places and switchgear is None:
        raise InputRefusedError(
            "nowhere to look: give a configuration with real devices, or --host 192.0.2.20"
        )
    found, silent = _look(list(places), units)
    first = None if switchgear is None else next(try_switchgear(switchgear))
    if switchgear is not None and first is not None:
        place = f"{switchgear.host}:{switchgear.port}, unit {switchgear.unit}"
        silent.append(f"{place}: switchgear, by its map: {first.text}")
    if as_json:
        sys.stdout.write(json.dumps({"found": [asdict(each) for each in found], "silent": silent}) + "\n")
    else:
        configured = {(each.host, each.port, each.unit): each.name for each in known}
        for number, each in enumerate(found, 1):
            sys.stdout.write(_described(each, configured.get((each.host, each.port, each.unit)), number))
        for text in silent:
            sys.stdout.write(f"{text}\n")
    if not found and not (first is not None and first.passed):
        sys.exit(ExitCode.FAILED)


def show(config: Path, device: str | None = None, /, *, as_json: Json = False) -> None:
    """Show what real devices say of themselves: every value that they implement.

    Nothing is commanded. Exit status 1 when a device does not answer.

    Example: wattswarm devices show ./home-7/node.toml cellar

    Parameters
    ----------
    config
        The node's configuration file.
    device
        The name of one device; all real devices if not given.
    as_json
        Print JSON.
    """
    shown: dict[str, object] = {}
    failed = False
    for name, read in _readers(_control(config), device).items():
        try:
            values = read()
        except HardwareError as error:
            shown[name] = {"problem": str(error)}
            failed = True
            sys.stdout.write("" if as_json else f"{name}: {error}\n")
            continue
        shown[name] = {"values": [asdict(value) for value in values]}
        if not as_json:
            table = Table("model", "point", "value", title=name, title_justify="left")
            for value in values:
                amount = value.value if isinstance(value.value, str) else f"{value.value:g}"
                table.add_row(str(value.model), value.point, f"{amount} {value.units}".strip())
            table_console().print(table)
    if as_json:
        sys.stdout.write(json.dumps(shown) + "\n")
    if failed:
        sys.exit(ExitCode.FAILED)


def try_out(
    config: Path, device: str | None = None, /, *, power_w: float | None = None, as_json: Json = False
) -> None:
    """Exercise real devices with small powers before they are trusted: read, rest, charge, discharge, revert alone.

    Switchgear (named `switchgear`) is read and told only what it holds already: nothing closes. The node must not be
    running. Each device is left with its reversion value. Exit status 1 when a step failed.

    Example: wattswarm devices test ./home-7/node.toml cellar --power-w 200

    Parameters
    ----------
    config
        The node's configuration file.
    device
        The name of one device; all real devices if not given.
    power_w
        Power to try each way, W; a tenth of the nameplate and at most 500 W if not given.
    as_json
        Print the steps as JSON.
    """
    control = _control(config)
    chosen = _chosen(control, device)
    for each in chosen:
        _must_fit(each, power_w)
    directory = Path(control.data_dir)
    directory.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[Step]] = {}
    trials = {each.name: _tried(each, reversions(control).get(each.name, 0.0), power_w) for each in chosen}
    if control.switchgear is not None and device in (None, SWITCHGEAR):
        trials[SWITCHGEAR] = try_switchgear(control.switchgear)
    with lock_directory(directory):
        for name, trial in trials.items():
            steps = results.setdefault(name, [])
            for step in trial:
                steps.append(step)
                if not as_json:
                    sys.stdout.write(f"{name}: {step.name}: {MARKS[step.passed]}: {step.text}\n")
                    sys.stdout.flush()
    if as_json:
        sys.stdout.write(
            json.dumps({name: [asdict(s) for s in each] for name, each in results.items()}) + "\n"
        )
    if any(step.passed is False for steps in results.values() for step in steps):
        sys.exit(ExitCode.FAILED)


def add_commands(app: App) -> None:
    """Give a group the commands of this module."""
    app.command(scan)
    app.command(show)
    app.command(try_out, name="test")


def _tried(each: HardwareConfig, reversion_w: float, power_w: float | None) -> Iterator[Step]:
    hardware = open_hardware(each, reversion_w)
    means = Means(lambda: Instant(time.monotonic_ns(), time.time_ns()), _wait)
    power_w = exercise_w(each.nameplate) if power_w is None else power_w
    try:
        timer_s = broker_of(each).will_s if each.driver == MQTT else COMMON.timer_s
        habits = Habits(timer_s, each.report_s)
        yield from try_device(hardware, each.nameplate, reversion_w, power_w, means, habits)
    finally:
        hardware.close()


def _values(each: HardwareConfig) -> tuple[ShownValue, ...]:
    if each.driver in (SUNSPEC, SUNSPEC_METER):
        return every_point(each.host, each.port, each.unit, each.timeout_ms / 1000)
    if each.driver == MQTT and each.topics is not None:
        heard = every_topic(broker_of(each), each.topics)
        return tuple(ShownValue("topic", name, text, "") for name, text in heard.items())
    if each.driver == DSMR:
        told = every_value(source_of(each), each.report_s)
        return tuple(ShownValue("telegram", name, text, "") for name, text in told.items())
    ups = NutUps(each.name, each.nameplate, each.host, each.port, each.ups, each.timeout_ms / 1000)
    try:
        return tuple(ShownValue(each.ups, name, text, "") for name, text in ups.values().items())
    finally:
        ups.close()


def _readers(control: ControlConfig, device: str | None) -> dict[str, Callable[[], tuple[ShownValue, ...]]]:
    """How to read each device that is asked for, the switchgear last."""
    found: dict[str, Callable[[], tuple[ShownValue, ...]]] = {
        each.name: partial(_values, each) for each in _chosen(control, device)
    }
    if control.switchgear is not None and device in (None, SWITCHGEAR):
        found[SWITCHGEAR] = partial(shown_values, control.switchgear)
    return found


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _must_fit(each: HardwareConfig, power_w: float | None) -> None:
    plate = each.nameplate
    if plate.kind is DerKind.LOAD:
        return
    most_w = min(plate.maximum_w, -plate.minimum_w) if plate.capacity_wh is not None else plate.maximum_w
    if plate.kind is DerKind.FLEXIBLE:
        most_w = -plate.minimum_w
    if power_w is not None and not 0 < power_w <= most_w:
        raise InputRefusedError(
            f"--power-w: {power_w:g} is not above 0 and at most {most_w:g}, for {each.name}"
        )


def _control(config: Path) -> ControlConfig:
    return parse_config(control_table(load_config(config), interval_s=900))


def _chosen(control: ControlConfig, device: str | None) -> list[HardwareConfig]:
    chosen = [each for each in control.hardware if device in (None, each.name)]
    if not chosen and not (control.switchgear is not None and device in (None, SWITCHGEAR)):
        names = (
            ", ".join(each.name for each in control.hardware)
            or "none; add a table with a driver to site.ders"
        )
        wanted = "no real device" if device is None else f"no real device {device!r}"
        raise InputRefusedError(f"{wanted} in this configuration; there is: {names}")
    return chosen


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, MODBUS_PORT
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise InputRefusedError(
            f"--host: {text!r} is no host or host:port, like 192.0.2.20 or inverter.local:1502"
        )
    return host, int(port)


def _look(places: list[tuple[str, int]], units: int) -> tuple[list[Found], list[str]]:
    found: list[Found] = []
    silent: list[str] = []
    for host, port in places:
        for unit in range(1, units + 1):
            try:
                found.append(survey(host, port, unit, TIMEOUT_S))
            except HardwareError as error:
                silent.append(str(error))
    return found, silent


def _described(each: Found, name: str | None, number: int) -> str:
    lines = [
        f"{each.host}:{each.port}, unit {each.unit}: {each.maker} {each.model}, version {each.version or 'unknown'}, "
        f"serial number {each.serial or 'unknown'}",
        *(f"  model {model}: {label}" for model, label in each.models.items()),
    ]
    if name is not None:
        lines.append(f"  in the configuration as {name}")
    elif each.table:
        table = config_text({"site": {"ders": [{"name": f"device-{number}", **each.table}]}})
        # Only the table: a file that has a section for the site already must not get a second one.
        lines.extend(["  to control it, add to the configuration:", "", table.removeprefix("[site]\n\n")])
    else:
        lines.append("  nothing here controls it, or it does not state its size")
    return "\n".join(lines) + "\n"
