"""Shell: follows a VTN while the daemon runs: polls it, keeps what it said on disk, sends it reports.

A VTN that cannot be reached, or says what no VTN may say, changes nothing: what is known goes on to its end.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
import trio

from devices.openadr.book import EventBook
from devices.openadr.values import OpenAdrError
from node.configuration.config import Config
from node.demand.baseline import Baseline
from node.demand.demand import Demand
from node.demand.vtn import Vtn, connected
from node.events import Now

KNOWN_FILE: Final = "openadr.json"
"""In the data directory: what the VTN said last, and which reports it has."""
LONGEST_PAUSE_S: Final = 900.0
"""Real seconds between two polls of a VTN in trouble."""
REPORTS_PER_POLL: Final = 32


class Following:
    """One daemon's part with its VTN."""

    def __init__(
        self,
        config: Config,
        demand: Demand,
        now: Callable[[], Now],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._config = config
        self._demand = demand
        self._now = now
        self._log = log
        self._path = config.directory / KNOWN_FILE
        self._kept = ""
        self._failures = 0
        self._trouble = ""
        self._registered = False
        self._refused: tuple[str, ...] = ()

    async def run(self) -> None:
        """Until cancelled."""
        self._recall()
        while True:
            try:
                async with connected(self._config) as vtn:
                    while True:
                        await self._look(vtn)
                        await self._pause()
            except OpenAdrError as fault:  # a file of the configuration cannot be used
                self._in_trouble(fault)
                await self._pause()

    async def _look(self, vtn: Vtn) -> None:
        """One poll."""
        try:
            await learn(vtn, self._demand.book, self._now().cell_ns)
            self._tell_news()
            await self._register(vtn)
            await self._report(vtn)
        except OpenAdrError as fault:
            self._in_trouble(fault)
        else:
            if self._trouble:
                self._log.info("vtn_again", vtn=vtn.place)
            self._failures, self._trouble = 0, ""
        self._keep()

    def _in_trouble(self, fault: OpenAdrError) -> None:
        self._failures += 1
        if str(fault) != self._trouble:
            self._trouble = str(fault)
            self._log.warning("vtn_trouble", reason=self._trouble)

    async def _pause(self) -> None:
        """Until the next poll; longer and longer while there is trouble."""
        every_s = self._config.openadr.poll_real_s
        await trio.sleep(min(every_s * 2 ** min(self._failures, 10), max(LONGEST_PAUSE_S, every_s)))

    async def _register(self, vtn: Vtn) -> None:
        """Say who we are, once; where the VTN's operator does that, it is none of our business."""
        if self._registered:
            return
        try:
            identity = await vtn.register(self._demand.book.client.resource)
            self._log.info("vtn_registered", ven=self._demand.book.client.ven, id=identity)
        except OpenAdrError as fault:
            self._log.warning("vtn_not_registered", reason=str(fault))
        self._registered = True

    async def _report(self, vtn: Vtn) -> None:
        for due, made in self._demand.reports(self._now())[:REPORTS_PER_POLL]:
            await vtn.report(made)
            self._demand.was_reported([due.key])
            self._log.info("vtn_report", of=due.event.id, what=due.wanted.payload_type)

    def _tell_news(self) -> None:
        """Say which events there are and which were refused, when that changes."""
        refused = tuple(each.reason for each in self._demand.book.refused)
        if refused != self._refused:
            self._refused = refused
            for reason in refused[:8]:
                self._log.warning("vtn_event_refused", reason=f"{self._config.openadr.vtn}: {reason}")

    def _recall(self) -> None:
        """What was known before the last stop holds until the VTN says otherwise."""
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            self._demand.book.take(kept["programs"], kept["events"])
            self._demand.was_reported(str(key) for key in kept["reported"])
            self._demand.limits.baseline.recall(kept.get("drawn", ()))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, OpenAdrError) as fault:
            self._log.warning("vtn_trouble", reason=f"{self._path}: not what was kept ({fault}); asked anew")

    def _keep(self) -> None:
        book = self._demand.book
        table = {
            "programs": list(book.sources),
            "events": [known.source for known in book.events.values()],
            "reported": list(self._demand.reported),
            "drawn": self._demand.limits.baseline.rows,
        }
        text = json.dumps(table)
        if text == self._kept:
            return
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(text, "utf-8")
            draft.rename(self._path)
            self._kept = text
        except OSError as fault:
            self._log.warning("vtn_trouble", reason=f"{self._path}: {fault}")


def kept_baseline(config: Config) -> Baseline:
    """What a node's meter counted last, as its daemon keeps it; empty where it has kept nothing that can be read."""
    baseline = Baseline()
    with suppress(OSError, ValueError, KeyError, TypeError):
        baseline.recall(json.loads((config.directory / KNOWN_FILE).read_text("utf-8"))["drawn"])
    return baseline


async def learn(vtn: Vtn, book: EventBook, now_ns: int) -> None:
    """Take what a VTN says now. Raises `OpenAdrError`, and then nothing has changed.

    An event that its list lacks is asked for by itself: a list that was read while it changed may lack one that stands.
    """
    try:
        programs = await vtn.programs()
        wanted, _ = book.read_programs(programs)
        events = await vtn.events(list(wanted))
        for identity in book.missing(events, now_ns):
            still = await vtn.event(identity)
            if still is not None:
                events.append(still)
        book.take(programs, events)
    except OpenAdrError as fault:
        named = str(fault) if str(fault).startswith(vtn.place) else f"{vtn.place}: {fault}"
        raise OpenAdrError(named) from fault
