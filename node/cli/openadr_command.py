"""Shell: `wattswarm devices openadr`: shows what a VTN says and what the node would do of it, and does nothing."""

import json
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter
from rich.table import Table

from devices.cell_clock import ClockSpec
from devices.openadr.book import EventBook
from devices.openadr.timeline import Action, Matter
from devices.openadr.values import FOREVER_NS, OpenAdrError, time_text
from market.terminal import table_console
from node.configuration.config import Config, load_config, with_clock_file
from node.configuration.openadr_section import OpenAdrSection
from node.demand.setting_up import client_of, dso_rule, site_rule
from node.errors import InputRefusedError
from node.exit_codes import ExitCode

Json = Annotated[bool, Parameter(name="--json", negative="")]


def openadr(config: Path, /, *, at: str | None = None, as_json: Json = False) -> int:
    """Show the programs and events of a node's VTN, and what the node would do of them.

    Nothing is registered, reported or done. Exit status 1 when the VTN refuses an answer or gives a wrong one, or when
    one of its events is refused.

    Example: wattswarm devices openadr ./home-7/node.toml

    Parameters
    ----------
    config
        The node's configuration file, with a table [openadr].
    at
        Show what would be done at another moment of cell time, like 2026-06-15T17:30:00Z.
    as_json
        Print it as JSON.
    """
    loaded = load_config(config)
    if loaded.openadr.vtn is None:
        raise InputRefusedError(
            f"{config}: has no [openadr] table with a vtn; docs/demand-response.md shows one"
        )
    now_ns = _moment(loaded, at)
    book = EventBook(client_of(loaded))
    try:
        trio.run(_ask, loaded, book, now_ns)
    except OpenAdrError as fault:
        sys.stderr.write(f"wattswarm: {fault}\n")
        return int(ExitCode.FAILED)
    shown = _shown(loaded, book, now_ns)
    if as_json:
        sys.stdout.write(json.dumps(shown) + "\n")
    else:
        _print(loaded, book, shown)
    return int(ExitCode.FAILED if book.refused else ExitCode.OK)


async def _ask(config: Config, book: EventBook, now_ns: int) -> None:
    from node.demand.following import learn
    from node.demand.vtn import connected

    async with connected(config) as vtn:
        await learn(vtn, book, now_ns)


def _moment(config: Config, at: str | None) -> int:
    if at is not None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as fault:
            raise InputRefusedError(f"--at: {at} is no time like 2026-06-15T17:30:00Z") from fault
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return round(aware.timestamp()) * 10**9
    clock = with_clock_file(config).clock
    return ClockSpec(clock.start_wall_ns, clock.epoch_ns, clock.speed).cell_ns(time.time_ns())


def _shown(config: Config, book: EventBook, now_ns: int) -> dict[str, object]:
    return {
        "vtn": config.openadr.vtn,
        "ven": book.client.ven,
        "at": time_text(now_ns),
        "acts_for": config.openadr.acts_for,
        "opt_out": config.openadr.opt_out,
        "programs": [{"id": each.id, "name": each.name} for each in book.programs.values()],
        "events": [
            {
                "id": known.event.id,
                "name": known.event.name,
                "program": book.programs[known.event.program].name,
                "priority": known.event.priority,
                "not_acted_on": list(known.meaning.ignored),
                "reports": [wanted.payload_type for wanted in known.event.reports],
                "actions": [_action(config, each) for each in known.meaning.actions],
            }
            for known in book.events.values()
            if known.event.end_ns > now_ns
        ],
        "refused": [{"id": each.id, "reason": each.reason} for each in book.refused],
        "now": _now(config, book, now_ns),
    }


def _action(config: Config, action: Action) -> dict[str, object]:
    return {
        "matter": action.matter.value,
        "from": time_text(action.start_ns),
        "until": None if action.end_ns >= FOREVER_NS else time_text(action.end_ns),
        "value": action.value,
        "effect": effect_of(config, action),
    }


def _now(config: Config, book: EventBook, now_ns: int) -> dict[str, object]:
    """What holds at the moment shown; W, injection positive."""
    section, timeline = config.openadr, book.timeline
    prices = {
        name: None if (found := timeline.at(matter, now_ns)) is None else found.value
        for name, matter in (
            ("price", Matter.IMPORT_PRICE),
            ("export_price", Matter.EXPORT_PRICE),
            ("carbon_g_kwh", Matter.CARBON),
        )
    }
    if section.opt_out:
        return {"does": "nothing: opt_out"}
    if section.acts_for == "dso":
        called = dso_rule(section, b"").power_mw(timeline, now_ns) / 1000 if section.service else 0.0
        limits = [timeline.at(matter, now_ns) for matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT)]
        found_w = [each.value for each in limits if each is not None]
        return {"calls_w": called, "branch_limit_w": min(found_w, default=None), **prices}
    from node.demand.following import kept_baseline

    drawn_w = kept_baseline(config).before_less(timeline, now_ns)
    wanted = site_rule(config).wanted(timeline, now_ns, drawn_w)
    return {
        "import_limit_w": None if wanted is None or wanted.minimum_w <= -1e9 else -wanted.minimum_w,
        "export_limit_w": None if wanted is None or wanted.maximum_w >= 1e9 else wanted.maximum_w,
        **prices,
    }


def effect_of(config: Config, action: Action) -> str:
    """What a node does of an action, in words."""
    section = config.openadr
    if section.opt_out:
        return "nothing: opt_out"
    match action.matter:
        case Matter.IMPORT_PRICE | Matter.EXPORT_PRICE | Matter.CARBON:
            looks_ahead = config.bidding.strategy == "optimising"
            return "expected by the bidder" if looks_ahead else "nothing: bidding.strategy is not optimising"
        case _ if section.acts_for == "dso":
            return _effect_for_the_cell(section, action)
        case Matter.IMPORT_LIMIT:
            return f"the site draws at most {max(section.least_import_w, action.value):g} W"
        case Matter.EXPORT_LIMIT:
            return f"the site gives at most {action.value:g} W"
        case Matter.LEVEL:
            share = section.level_shares[int(action.value)]
            drawn_w = max(section.least_import_w, share * config.site.import_limit_w)
            return "nothing" if action.value == 0 else f"the site draws at most {drawn_w:g} W"
        case Matter.CHANGE if action.value < 0:
            return f"the site draws {-action.value:g} W less than just before, at most"
        case Matter.CHANGE:
            return "nothing: no site is made to draw more"


def _effect_for_the_cell(section: OpenAdrSection, action: Action) -> str:
    if action.matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT):
        return (
            "nothing: openadr.branch is missing"
            if section.branch is None
            else f"{section.branch} carries at most {action.value:g} W"
        )
    if section.service is None:
        return "nothing: openadr.service is missing"
    if action.matter is Matter.LEVEL and not section.level_w:
        return "nothing: openadr.level_w is missing"
    power_w = section.level_w[int(action.value)] if action.matter is Matter.LEVEL else -action.value
    return f"{power_w:g} W of {section.service} called"


def _print(config: Config, book: EventBook, shown: dict[str, object]) -> None:
    programs = ", ".join(each.name for each in book.programs.values()) or "none"
    sys.stdout.write(f"{config.openadr.vtn} as {book.client.ven}, at {shown['at']}\nPrograms: {programs}\n")
    events = shown["events"]
    assert isinstance(events, list)
    sys.stdout.write("" if events else "No events.\n")
    for each in events:
        ignored = f"; not acted on: {', '.join(each['not_acted_on'])}" if each["not_acted_on"] else ""
        table = Table(title=f"{each['name']} ({each['program']}){ignored}", title_justify="left")
        for name in ("from", "until", "what", "value", "effect"):
            table.add_column(name)
        for action in each["actions"]:
            _row(table, action)
        table_console().print(table)
    for refused in book.refused:
        sys.stdout.write(f"Refused: {refused.reason}\n")
    now = shown["now"]
    assert isinstance(now, dict)
    said = ", ".join(f"{name} {value}" for name, value in now.items() if value is not None)
    sys.stdout.write(f"Now: {said or 'nothing'}\n")


def _row(table: Table, action: dict[str, object]) -> None:
    cells: Iterable[object] = (
        action["from"],
        action["until"] or "open",
        action["matter"],
        f"{action['value']:g}",
        action["effect"],
    )
    table.add_row(*map(str, cells))
