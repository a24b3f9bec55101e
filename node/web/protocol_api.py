"""Shell: over the API, which protocol the cell speaks, what members run and know, and proposing another version."""

import json
import os
from typing import Annotated, Any

import trio
from fastapi import APIRouter, Body, Depends, Request

from ledger.membership.protocol import Refusal as RefusedSwitch
from ledger.membership.protocol import Switch
from ledger.membership.switching import is_enough, support
from ledger.records.genesis import Role as MemberRole
from node.errors import InputRefusedError
from node.founding.founding import PASSPHRASE_VARIABLE
from node.operation.telling_versions import VERSIONS_FILE
from node.saying.speaking import Speaker
from node.saying.versions import REASONS, earliest_switch, say_switch
from node.web.acting import UNREACHED, Acting
from node.web.answers import Answer
from node.web.faults import BIG, ERRORS
from node.web.saying_entries import Saying
from node.web.settings_answers import Left
from node.web.tokens import Role
from node.web.watched_node import WatchedNode


class ProposedSwitch(Answer):
    """Another version of the protocol from a block's height on; of `validators`, `supporters` know it now."""

    version: int
    height: int
    supporters: int
    validators: int
    enough: bool


class RefusedProposal(Answer):
    """A proposal that the block at height `at` refused, and why."""

    version: int
    height: int
    at: int
    reason: str


class MemberProgram(Answer):
    """What a member runs: `release` as it says itself, null if it was not heard; `knows` as the cell has agreed."""

    name: str
    validator: bool
    release: str | None
    knows: list[int]


class CellProtocol(Answer):
    """The version in force at `height`, what is proposed or agreed, what was refused last, and what everybody runs.

    `earliest` is the first height that a proposal may name now. `fault` says why this node cannot propose one: empty if
    it can.
    """

    version: int
    height: int
    proposed: ProposedSwitch | None
    agreed: ProposedSwitch | None
    refused: RefusedProposal | None
    members: list[MemberProgram]
    earliest: int
    fault: str


def protocol_api(acting: Acting) -> APIRouter:
    """The routes about versions, under /api/v1/protocol."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(acting.admit)], responses=ERRORS)
    saying = Saying(acting)
    watcher, access = acting.watcher, acting.access

    @router.get(
        "/protocol", tags=["cell"], summary="The protocol's version, what is to come, and who runs what"
    )
    async def protocol(request: Request) -> CellProtocol:
        access.require(request, Role.VIEWER)
        releases = await trio.to_thread.run_sync(_releases, saying)
        return protocol_of(watcher.node, releases, saying.why_no_members())

    @router.post(
        "/protocol", tags=["actions"], summary="Propose another version of the protocol", responses=UNREACHED
    )
    async def propose(
        request: Request,
        version: Annotated[int, Body(ge=1, le=2**31, description="the version to go on to")],
        height: Annotated[int, Body(ge=1, le=BIG, description="the first block under it")],
    ) -> Left:
        def say(said: Speaker) -> str:
            if fault := saying.why_no_members():
                raise InputRefusedError(fault)
            assert saying.cell_directory is not None, "a node without the key was refused"
            passphrase = os.environ.get(PASSPHRASE_VARIABLE)
            first, _, *rest = say_switch(saying.cell_directory, said.directory, passphrase, version, height)
            return " ".join((f"{first}.", *rest))

        action = {"name": "propose protocol", "version": version, "height": height}
        return await saying.leave(request, Role.OPERATOR, action, say)

    return router


def protocol_of(node: WatchedNode, releases: dict[str, Any], fault: str) -> CellProtocol:
    """What holds of versions; `releases` is what members say that they run, by name."""
    tip = node.history.tip
    if tip is None:
        return CellProtocol(
            version=1, height=0, proposed=None, agreed=None, refused=None, members=[], earliest=0, fault=fault
        )
    held = tip.membership.protocol

    def switch(each: Switch | None) -> ProposedSwitch | None:
        if each is None:
            return None
        supporters, validators = support(tip.membership, each.version)
        return ProposedSwitch(
            version=each.version,
            height=each.height,
            supporters=supporters,
            validators=validators,
            enough=is_enough(supporters, validators),
        )

    return CellProtocol(
        version=held.version,
        height=tip.height,
        proposed=switch(held.proposed),
        agreed=switch(held.agreed),
        refused=_refused(held.refused),
        members=[
            MemberProgram(
                name=member.name.decode(),
                validator=bool(member.roles & MemberRole.VALIDATOR),
                release=_release(releases.get(member.name.decode())),
                knows=list(held.known_to(member.id)),
            )
            for member in sorted(tip.membership.members, key=lambda each: each.name)
        ],
        earliest=earliest_switch(tip),
        fault=fault,
    )


def _refused(refused: RefusedSwitch | None) -> RefusedProposal | None:
    if refused is None:
        return None
    return RefusedProposal(
        version=refused.switch.version,
        height=refused.switch.height,
        at=refused.at,
        reason=REASONS[refused.reason],
    )


def _release(said: Any) -> str | None:
    return str(said["version"]) if isinstance(said, dict) and "version" in said else None


def _releases(saying: Saying) -> dict[str, Any]:
    """What the daemon has heard that members run; nothing while it has not written it."""
    try:
        found = json.loads((saying.directory / VERSIONS_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
