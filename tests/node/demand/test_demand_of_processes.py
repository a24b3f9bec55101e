"""Real daemons and a real VTN: one node limits its own site, another calls its cell, both report, and all ends."""

import json
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from cell_of_processes import ended, found
from vtn_bench import PROGRAM, event, openadr_text, secret_file, vtn_process

from ledger.audit.audit import verify_directory
from market.cell import EnergyCell
from node.cli import dso
from node.cli.openadr_command import openadr
from node.config_file import config_text
from node.founding import CONFIG_FILE
from node.ledger_view import blocks
from sim.measuring.live_cell import clock_of
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

HOUR_NS = 3_600 * 10**9
FLEX = {"service": "utility-flex", "up_w": 1000.0, "down_w": 500.0, "sustain_s": 600.0}
BATTERY = {
    "kind": "battery",
    "name": "battery",
    "capacity_wh": 50_000.0,
    "charge_w": 3_000.0,
    "discharge_w": 3_000.0,
    "initial_state_of_charge": 0.6,
}
LIMIT_KW = 0.4
HOURLY = {"frequency": 1, "numIntervals": 1, "startInterval": 0, "repeat": -1}


def follows(daemon: Daemon, url: str, offered: dict[str, object] | None = None, **more: object) -> None:
    """A battery, part of it for requests, and a VTN."""
    path = daemon.directory / CONFIG_FILE
    table = tomllib.loads(path.read_text("utf-8"))
    others = [der for der in table["site"]["ders"] if der["kind"] != "battery"]
    table["site"] |= {"ders": [*others, BATTERY]}
    if offered is not None:
        table["site"]["requested_services"] = [offered]
    path.write_text(config_text(table) + "\n" + openadr_text(url, timeout_real_s=5.0, **more), "utf-8")
    secret_file(daemon.directory)


def events(operator: Daemon, neighbour: Daemon, first: int) -> list[dict[str, Any]]:
    """From an interval on: a limit for the neighbour's site, and a call for the operator's cell."""
    when = {"start_ns": first * HOUR_NS}

    def made(identity: str, payload: str, value: float, daemon: Daemon, report: str) -> dict[str, Any]:
        return event(
            identity,
            payload,
            *[value] * 60,
            **when,
            targets=[{"type": "VEN_NAME", "values": [daemon.name]}],
            reportDescriptors=[{"payloadType": report, **HOURLY}],
        )

    return [
        made("limit", "IMPORT_CAPACITY_LIMIT", LIMIT_KW, neighbour, "USAGE"),
        made("call", "SIMPLE", 1, operator, "DELTA_USAGE"),
    ]


def said(daemon: Daemon, what: str) -> list[dict[str, object]]:
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return [each for each in events if each.get("event") == what]


async def test_events_limit_a_site_and_call_a_cell_until_they_are_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=5.0)
    operator, neighbour = cell.daemons[:2]
    with vtn_process() as vtn, ended(cell):
        level_w = [0.0, 800.0, 1600.0, 2400.0]
        follows(operator, vtn.url, FLEX, acts_for="dso", service="utility-flex", level_w=level_w)
        follows(neighbour, vtn.url)
        await cell.start()
        dso.service(
            "utility-flex",
            node=operator.directory,
            from_interval=operator.view.interval + 4,
            requested=True,
            up_w=1500,
            up_energy_price="0.50",
        )
        vtn.put("programs", PROGRAM)
        first = operator.view.interval + 1
        vtn.put("events", *events(operator, neighbour, first))
        await cell.wait(
            lambda: any(each["minimum_w"] == -1000 * LIMIT_KW for each in said(neighbour, "demand_limit")),
            120,
            "the neighbour's site is limited",
        )
        hour = clock_of(cell.prepared).cell_ns(time.time_ns()) // HOUR_NS
        unlimited = max(1, hour + 1 - first)  # hours that began before the limit was known
        await cell.wait(
            lambda: any(each["power_mw"] == 800_000 for each in said(operator, "share")),
            120,
            "the operator's battery gives what is called",
        )
        await cell.wait(
            lambda: len(usages(vtn.see("reports"), "USAGE")) >= unlimited + 3, 120, "usage is reported"
        )
        await cell.wait(
            lambda: any(value < -0.1 for value in usages(vtn.see("reports"), "DELTA_USAGE")),
            120,
            "what the call changed is reported",
        )
        await shown_by_command(neighbour, capsys)
        vtn.ask(delete={"events": ["limit", "call"]})
        await cell.wait(
            lambda: said(neighbour, "demand_limit")[-1]["minimum_w"] is None, 120, "the site is free again"
        )
        await cell.wait(
            lambda: said(operator, "share")[-1]["power_mw"] == 0 or no_request(operator),
            120,
            "nothing is called",
        )
        vtn.expect_no_problems()
        reports = vtn.see("reports")
        await cell.stop()
    assert all(usage <= 1.02 * LIMIT_KW for usage in usages(reports, "USAGE")[unlimited:])
    cell.expect_sound()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None


def usages(reports: list[dict[str, object]], kind: str) -> list[float]:
    """The values of one type in these reports, in their order."""
    return [
        payload["values"][0]
        for report in reports
        for resource in report["resources"]  # type: ignore[attr-defined]
        for interval in resource["intervals"]
        for payload in interval["payloads"]
        if payload["type"] == kind
    ]


def no_request(daemon: Daemon) -> bool:
    """Whether no request reaches beyond what the cell has decided."""
    tip = blocks(daemon.directory)[-1].tip
    end_ns = tip.state.rules.calendar.start_ns(tip.last_interval)
    return all(each.request.end_ns < end_ns for each in tip.state.services.requests)


async def shown_by_command(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """The command shows what the running node does."""
    capsys.readouterr()
    for as_json in (True, False):
        shown = partial(openadr, daemon.directory / CONFIG_FILE, as_json=as_json)
        assert await trio.to_thread.run_sync(shown) == 0
    json_line, _, told = capsys.readouterr().out.partition("\n")
    table = json.loads(json_line)
    assert table["now"]["import_limit_w"] == 1000 * LIMIT_KW
    assert [each["id"] for each in table["events"]] == ["limit"]
    assert "Programs: evening" in told and "the site draws at most 400 W" in told
