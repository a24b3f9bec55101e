"""Shell: limits and requests that this node's dso has said, whether or not a block has them, and taking one back."""

import sqlite3
from datetime import datetime
from typing import Annotated, Literal

import trio
from fastapi import APIRouter, Body, Depends, Request

from ledger.errors import LedgerError
from ledger.records.entries import open_entry
from market.units import MW_PER_W
from node.saying.speaking import Speaker
from node.saying.withdrawals import LOOKED_BACK, OwnWords, say_withdrawal, words_of
from node.web.acting import UNREACHED, Acting
from node.web.answers import Answer
from node.web.faults import ERRORS, Refusal
from node.web.saying_entries import Saying
from node.web.settings_answers import Left
from node.web.tokens import Role
from node.web.watched_node import WatchedNode, moment

SHOWN_BACK = 256
"""Own entries that are read for each look at the page: those that a block has need no looking for."""


class Said(Answer):
    """A limit or a request of this node's dso that has not ended; a withdrawal names it by `id`.

    `branch` is what a limit limits, or where a request is called (null: the whole cell); `service` is of a request.
    `agreed` says whether a block has it, `withdrawn` whether this node has said that it ends.
    """

    id: str
    what: Literal["limit", "request"]
    branch: str | None
    service: str | None
    power_w: float
    start: datetime
    end: datetime
    agreed: bool
    withdrawn: bool


def withdrawal_api(acting: Acting) -> APIRouter:
    """The routes about what may be taken back, under /api/v1."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(acting.admit)], responses=ERRORS)
    saying = Saying(acting)
    watcher, access = acting.watcher, acting.access

    @router.get(
        "/said",
        tags=["cell"],
        summary="Limits and requests of this node that may be taken back, newest first",
    )
    async def said(request: Request) -> list[Said]:
        access.require(request, Role.VIEWER)
        speaker = saying.speaker()
        if speaker is None:
            return []
        words = await trio.to_thread.run_sync(_words, saying, speaker, SHOWN_BACK)
        return _answers(watcher.node, speaker, words)

    @router.post(
        "/withdrawals", tags=["actions"], summary="Take back a limit or a request", responses=UNREACHED
    )
    async def withdraw(
        request: Request,
        said: Annotated[
            str, Body(embed=True, pattern="^[0-9a-f]{12,64}$", description="an id, or its start")
        ],
    ) -> Left:
        action = {"name": "withdraw", "said": said}
        return await saying.leave(
            request,
            Role.OPERATOR,
            action,
            lambda speaker: say_withdrawal(speaker, said, _words(saying, speaker, LOOKED_BACK)),
        )

    return router


def _words(saying: Saying, said: Speaker, count: int) -> OwnWords:
    """What the node's feed says, read from its ledger; in a thread. Raises `Refusal` while the ledger is busy."""
    watcher = saying.acting.watcher
    try:
        envelopes = watcher.follower.entries_of(said.tip, said.member.id, count)
        entries = [open_entry(envelope, said.tip.genesis.cell_id) for envelope in envelopes]
    except (LedgerError, OSError, sqlite3.Error) as fault:
        raise Refusal(503, "ledger-busy", f"the ledger cannot be read now: {fault}") from fault
    return words_of(said, entries, watcher.cell_ns())


def _answers(node: WatchedNode, said: Speaker, words: OwnWords) -> list[Said]:
    names = [branch.name for branch in said.rules.branches]
    limits = [
        Said(
            id=each.id.hex(),
            what="limit",
            branch=names[each.limit.branch],
            service=None,
            power_w=each.limit.limit_mw / MW_PER_W,
            start=node.start_of(each.limit.first),
            end=node.start_of(each.limit.last + 1),
            agreed=each.agreed,
            withdrawn=each.withdrawn,
        )
        for each in words.limits
    ]
    requests = [
        Said(
            id=each.id.hex(),
            what="request",
            branch=None if each.request.branch is None else names[each.request.branch],
            service=each.request.name.decode(),
            power_w=each.request.power_mw / MW_PER_W,
            start=moment(each.request.start_ns),
            end=moment(each.request.end_ns),
            agreed=each.agreed,
            withdrawn=each.withdrawn,
        )
        for each in words.requests
    ]
    return [*reversed(limits), *reversed(requests)]
