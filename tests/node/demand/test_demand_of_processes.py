"""Real daemons and a real VTN: two nodes limit their sites, another calls its cell, all report, and all ends."""

import json
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from cell_of_processes import Cell, ended, found
from vtn_bench import PROGRAM, VtnProcess, event, openadr_text, secret_file, vtn_process

from ledger.audit.audit import verify_directory
from market.cell import EnergyCell
from node.cli import dso
from node.cli.openadr_command import openadr
from node.configuration.config_file import config_text
from node.demand.following import KNOWN_FILE
from node.founding.founding import CONFIG_FILE
from node.views.ledger_view import blocks
from node.web.web_process import WEB_ADDRESS_FILE
from sim.measuring.live_cell import clock_of
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

HOUR_NS = 3_600 * 10**9
FLEX = {"service": "utility-flex", "up_w": 1000.0, "down_w": 500.0, "sustain_s": 600.0}
BATTERY = {
    "kind": "battery",
    "name": "battery",
    "capacity_wh": 500_000.0,
    "charge_w": 3_000.0,
    "discharge_w": 3_000.0,
    "initial_state_of_charge": 0.6,
}
LIMIT_KW = 0.4
LESS_KW = 0.5
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


def serves_its_page(daemon: Daemon) -> None:
    with (daemon.directory / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write('\n[web]\nlisten = "127.0.0.1:0"\n')


def events(operator: Daemon, neighbour: Daemon, saver: Daemon, first: int) -> list[dict[str, Any]]:
    """From an interval on: a limit for the neighbour's site, and a call for the operator's cell. One later, so that its
    meter has counted a whole interval before: less for the saver's site.
    """

    def made(
        identity: str, payload: str, value: float, daemon: Daemon, report: str, late: int = 0
    ) -> dict[str, Any]:
        return event(
            identity,
            payload,
            *[value] * 60,
            start_ns=(first + late) * HOUR_NS,
            targets=[{"type": "VEN_NAME", "values": [daemon.name]}],
            reportDescriptors=[{"payloadType": report, **HOURLY}],
        )

    return [
        made("limit", "IMPORT_CAPACITY_LIMIT", LIMIT_KW, neighbour, "USAGE"),
        made("call", "SIMPLE", 1, operator, "DELTA_USAGE"),
        made("less", "DISPATCH_SETPOINT_RELATIVE", -LESS_KW, saver, "DELTA_USAGE", late=1),
    ]


def said(daemon: Daemon, what: str) -> list[dict[str, Any]]:
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return [each for each in events if each.get("event") == what]


async def test_events_limit_a_site_and_call_a_cell_until_they_are_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=5.0)
    operator, neighbour, _, saver = cell.daemons
    with vtn_process() as vtn, ended(cell):
        level_w = [0.0, 800.0, 1600.0, 2400.0]
        follows(operator, vtn.url, FLEX, acts_for="dso", service="utility-flex", level_w=level_w)
        follows(neighbour, vtn.url)
        serves_its_page(neighbour)
        follows(saver, vtn.url)
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
        *others, less = events(operator, neighbour, saver, first)
        vtn.put("events", *others)
        vtn.ask(raw={"events": [less]})  # the schema forbids what servers send: a negative setpoint
        await cell.wait(
            lambda: any(each["minimum_w"] == -1000 * LIMIT_KW for each in said(neighbour, "demand_limit")),
            120,
            "the neighbour's site is limited",
        )
        unlimited = max(1, hour_of(cell) + 1 - first)  # hours that began before the limit was known
        await cell.wait(
            lambda: any(each["power_mw"] == 800_000 for each in said(operator, "share")),
            120,
            "the operator's battery gives what is called",
        )
        await cell.wait(
            lambda: len(usages(vtn.see("reports"), "limit")) >= unlimited + 3, 120, "usage is reported"
        )
        await cell.wait(partial(has_called, vtn), 120, "what the call changed is reported")
        await cell.wait(
            lambda: any(each["minimum_w"] is not None for each in said(saver, "demand_limit")),
            120,
            "the saver's site is to draw less than before",
        )
        whole = hour_of(cell) + 1
        await cell.wait(lambda: max(drawn_w(saver)) > whole, 120, "its meter has counted whole hours")
        expect_less(saver, first, whole)
        assert usages(vtn.see("reports"), "less")
        await shown_by_api(neighbour)
        await shown_by_command(neighbour, capsys)
        limited = vtn.see("reports")
        vtn.ask(delete={"events": ["limit", "call", "less"]})
        await cell.wait(
            lambda: said(neighbour, "demand_limit")[-1]["minimum_w"] is None, 120, "the site is free again"
        )
        await cell.wait(
            lambda: said(operator, "share")[-1]["power_mw"] == 0 or no_request(operator),
            120,
            "nothing is called",
        )
        vtn.expect_no_problems()
        await cell.stop()
    expect_held(usages(limited, "limit")[unlimited:], LIMIT_KW)
    cell.expect_sound()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None


def has_called(vtn: VtnProcess) -> bool:
    """Whether the VTN knows that less was drawn by the call."""
    return any(value < -0.1 for value in usages(vtn.see("reports"), "call"))


def hour_of(cell: Cell) -> int:
    """The hour that runs."""
    return clock_of(cell.prepared).cell_ns(time.time_ns()) // HOUR_NS


def drawn_w(daemon: Daemon) -> dict[int, float]:
    """What the site drew in each whole hour, as the daemon has kept it."""
    kept = json.loads((daemon.directory / KNOWN_FILE).read_text("utf-8"))["drawn"]
    return {start_ns // HOUR_NS: power_w for start_ns, _, power_w in kept} or {0: 0.0}


def expect_less(saver: Daemon, first: int, whole: int) -> None:
    """From a whole hour on the site drew at most what it drew just before the event, less what was asked for."""
    found = drawn_w(saver)
    (*_, limit_w) = (
        -each["minimum_w"] for each in said(saver, "demand_limit") if each["minimum_w"] is not None
    )
    before = [found[hour] for hour in (first, first - 1) if hour in found]
    assert any(limit_w == pytest.approx(max(0.0, drawn - 1000 * LESS_KW)) for drawn in before)
    expect_held([drawn for hour, drawn in found.items() if hour >= whole], limit_w + 1.0)


def expect_held(found: list[float], limit: float) -> None:
    """A limit was held: a process that the machine lets wait may let a setpoint lapse for a moment, and no longer."""
    assert found and sum(found) / len(found) <= 1.02 * limit
    assert max(found) <= 1.2 * limit


def usages(reports: list[dict[str, object]], of: str) -> list[float]:
    """The energies of one event in these reports, in their order."""
    return [
        payload["values"][0]
        for report in reports
        if report["eventID"] == of
        for resource in report["resources"]  # type: ignore[attr-defined]
        for interval in resource["intervals"]
        for payload in interval["payloads"]
        if payload["type"] in ("USAGE", "DELTA_USAGE")
    ]


def no_request(daemon: Daemon) -> bool:
    """Whether no request reaches beyond what the cell has decided."""
    tip = blocks(daemon.directory)[-1].tip
    end_ns = tip.state.rules.calendar.start_ns(tip.last_interval)
    return all(each.request.end_ns < end_ns for each in tip.state.services.requests)


async def shown_by_api(daemon: Daemon) -> None:
    """The API of the running node says what it keeps to."""
    url = (daemon.directory / WEB_ADDRESS_FILE).read_text("utf-8").strip()
    async with httpx.AsyncClient(base_url=f"{url}/api/v1/", timeout=20) as client:
        told = (await client.get("utility")).json()
    (word,) = told["said"]
    assert (told["acts"], word["holds"], word["value"]) == ("site", True, 1000 * LIMIT_KW)
    assert word["text"].startswith("At most 400 W is to be drawn, until ")


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
