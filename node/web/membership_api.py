"""Shell: who belongs to the cell, changed over the API, on a node that holds the cell's admission key."""

import os
import tomllib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.records.changes import Change
from market.cell_state import CellState
from node.errors import ConfigError, InputRefusedError
from node.founding.founding import MEMBERS_FILE, PASSPHRASE_VARIABLE
from node.founding.member_card import MemberCard, check_card
from node.saying.announcing import admission_of, announce, readmission_of, removal_of, rotation_of
from node.saying.members import add_addresses, announced_lines
from node.saying.speaking import Speaker
from node.web.acting import UNREACHED, Acting
from node.web.faults import ERRORS
from node.web.saying_entries import MemberName, Saying
from node.web.settings_answers import Left
from node.web.tokens import Role

CARD_CHARACTERS = 4_096
Card = Annotated[str, Body(min_length=1, max_length=CARD_CHARACTERS, description="the text of a member.toml")]
Make = Callable[[Tip[CellState], Membership], Change]


def membership_api(acting: Acting) -> APIRouter:
    """The routes that change who belongs to the cell, under /api/v1/members."""
    router = APIRouter(prefix="/api/v1/members", dependencies=[Depends(acting.admit)], responses=ERRORS)
    saying = Saying(acting)
    _coming_and_going(router, saying)
    _keys(router, saying)
    return router


def _coming_and_going(router: APIRouter, saying: Saying) -> None:
    @router.post("/add", tags=["actions"], summary="Admit a member by its card", responses=UNREACHED)
    async def add(
        request: Request,
        card: Card,
        credit: Annotated[int, Body(ge=0, le=10**9, description="whole currency units")] = 100,
    ) -> Left:
        def say(said: Speaker) -> str:
            owner = _card(card)
            text = _announce(saying, said, lambda tip, _: admission_of(owner, tip, credit))
            assert saying.cell_directory is not None, "what cannot be announced was refused"
            add_addresses(saying.cell_directory / MEMBERS_FILE, owner)
            return text

        action = {"name": "add member", "card": card.partition("\n")[0], "credit": credit}
        return await saying.leave(request, Role.OPERATOR, action, say)

    @router.post("/remove", tags=["actions"], summary="Remove a member", responses=UNREACHED)
    async def remove(request: Request, member: Annotated[MemberName, Body(embed=True)]) -> Left:
        def say(said: Speaker) -> str:
            return _announce(saying, said, lambda _, expected: removal_of(member, expected))

        return await saying.leave(request, Role.OPERATOR, {"name": "remove member", "member": member}, say)


def _keys(router: APIRouter, saying: Saying) -> None:
    @router.post("/rotate", tags=["actions"], summary="Give a member new keys", responses=UNREACHED)
    async def rotate(request: Request, member: MemberName, card: Card) -> Left:
        def say(said: Speaker) -> str:
            owner = _card(card)
            return _announce(
                saying,
                said,
                lambda _, expected: rotation_of(member, owner, expected, feed=True, consensus=True),
            )

        return await saying.leave(request, Role.OPERATOR, {"name": "rotate keys", "member": member}, say)

    @router.post("/readmit", tags=["actions"], summary="Let a member begin again", responses=UNREACHED)
    async def readmit(
        request: Request,
        member: MemberName,
        card: Annotated[str | None, Body(min_length=1, max_length=CARD_CHARACTERS)] = None,
    ) -> Left:
        def say(said: Speaker) -> str:
            owner = None if card is None else _card(card)
            return _announce(saying, said, lambda _, expected: readmission_of(member, owner, expected))

        return await saying.leave(request, Role.OPERATOR, {"name": "readmit member", "member": member}, say)


def _announce(saying: Saying, said: Speaker, make: Make) -> str:
    """Sign a change with the cell's admission key and leave it. Raises `InputRefusedError` or `ConfigError`."""
    if fault := saying.why_no_members():
        raise InputRefusedError(fault)
    assert saying.cell_directory is not None, "a node without the key was refused"
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    first, *_ = announced_lines(announce(saying.cell_directory, said.directory, passphrase, make))
    return first


def _card(text: str) -> MemberCard:
    """The card in a text. Raises `ConfigError`."""
    try:
        return check_card(tomllib.loads(text), "card")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"card: cannot be read as a member card: {error}"]) from error
