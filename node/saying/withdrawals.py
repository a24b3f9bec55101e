"""Shell: requests and limits that a dso takes back, left for its node to say. Powers W."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import Kind, decode_limit
from market.rules import BranchLimit
from market.services.payloads import ServiceRequest, decode_request, decode_withdrawal, encode_withdrawal
from market.units import MW_PER_W
from node.errors import InputRefusedError
from node.saying.speaking import Speaker
from node.saying.spool import Spool
from node.views.ledger_view import opened

LOOKED_BACK = 4_096
"""Own entries that are read for those that no block has yet: more than a dso says in a day without blocks."""
SHORTEST = 12
"""Hexadecimal digits of an id that are shown."""


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request of this node; `agreed`: a block has it; `withdrawn`: this node has taken it back."""

    id: bytes
    interval: int
    request: ServiceRequest
    agreed: bool
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """A limit of this node that may be withdrawn; `agreed`: a block has it; `withdrawn`: so says this node already."""

    id: bytes
    limit: BranchLimit
    agreed: bool
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class OwnWords:
    """What a dso's node has said and has not ended, oldest first."""

    requests: tuple[OwnRequest, ...]
    limits: tuple[OwnLimit, ...]


def own_words(said: Speaker, now_ns: int) -> OwnWords:
    """The speaker's own requests and limits that end after a moment of cell time. Raises `InputRefusedError`."""
    member = said.member
    with opened(said.directory) as (_, store):
        last = store.last_sequence(member.id, member.incarnation)
        entries = list(store.entries(member.id, member.incarnation, max(-1, last - LOOKED_BACK), last))
    return words_of(said, entries, now_ns)


def words_of(said: Speaker, entries: Iterable[SignedEntry], now_ns: int) -> OwnWords:
    """The same from the speaker's last entries, which whoever asks has read."""
    unanchored = _unanchored(said, entries)
    waiting = [asked.payload for _, asked in Spool(said.directory).waiting() if asked.kind == Kind.WITHDRAWAL]
    payloads = [each.entry.payload for each in unanchored if each.entry.kind == Kind.WITHDRAWAL]
    taken_back = {decode_withdrawal(payload) for payload in (*payloads, *waiting)}
    return OwnWords(_requests(said, unanchored, taken_back, now_ns), _limits(said, unanchored, taken_back))


def say_withdrawal(said: Speaker, begins: str, words: OwnWords) -> str:
    """Take back the request or limit whose id begins so; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "limits and requests")
    both: tuple[OwnRequest | OwnLimit, ...] = (*words.requests, *words.limits)
    standing = [each for each in both if not each.withdrawn]
    found = [each for each in standing if each.id.hex().startswith(begins.lower())]
    if len(found) != 1:
        known = ", ".join(each.id.hex()[:SHORTEST] for each in standing)
        remedy = f"there are {known}" if known else "there is none that has not ended"
        many = "several requests or limits begin" if found else "no request and no limit begins"
        raise InputRefusedError(f"{begins}: {many} so; {remedy}")
    (each,) = found
    if isinstance(each, OwnRequest):
        said.leave(Kind.WITHDRAWAL, each.interval, encode_withdrawal(each.id))
        return f"{request_text(each)} ends."
    said.leave(Kind.WITHDRAWAL, each.limit.first, encode_withdrawal(each.id))
    return f"{limit_text(said, each)} ends with the first interval whose gate is still open."


def request_text(each: OwnRequest) -> str:
    """What was called, in words."""
    return (
        f"{each.id.hex()[:SHORTEST]}: {each.request.power_mw / MW_PER_W:g} W of {each.request.name.decode()}"
    )


def limit_text(said: Speaker, each: OwnLimit) -> str:
    """What was limited, in words."""
    limit = each.limit
    branch = said.rules.branches[limit.branch].name
    return (
        f"{each.id.hex()[:SHORTEST]}: {limit.limit_mw / MW_PER_W:g} W at most on {branch}"
        f" from {limit.first} to {limit.last}"
    )


def _requests(
    said: Speaker, unanchored: list[SignedEntry], taken_back: set[bytes], now_ns: int
) -> tuple[OwnRequest, ...]:
    """Those in the state, and those that no block has yet."""
    calendar = said.rules.calendar
    found = [
        OwnRequest(
            each.id,
            calendar.index_of(each.request.start_ns),
            each.request,
            agreed=True,
            withdrawn=each.withdrawn_ns is not None or each.id in taken_back,
        )
        for each in said.tip.state.services.requests
        if each.author == said.member.id
    ]
    for signed in unanchored:
        request = _request(signed)
        if request is not None:
            found.append(
                OwnRequest(
                    signed.id, signed.entry.interval, request, agreed=False, withdrawn=signed.id in taken_back
                )
            )
    return tuple(each for each in found if each.request.end_ns > now_ns)


def _limits(said: Speaker, unanchored: list[SignedEntry], taken_back: set[bytes]) -> tuple[OwnLimit, ...]:
    """Those in the state, and those that no block has yet."""
    found = [
        OwnLimit(each.id, each.limit, agreed=True, withdrawn=each.id in taken_back)
        for each in said.tip.state.limits
        if each.id is not None and each.author == said.member.id
    ]
    for signed in unanchored:
        limit = _limit(signed)
        if (
            limit is not None
            and limit.last > said.tip.last_interval
            and limit.branch < len(said.rules.branches)
        ):
            found.append(OwnLimit(signed.id, limit, agreed=False, withdrawn=signed.id in taken_back))
    return tuple(found)


def _unanchored(said: Speaker, entries: Iterable[SignedEntry]) -> list[SignedEntry]:
    """Those of the speaker's entries that no block has yet."""
    head = said.tip.heads.get(said.member.id)
    anchored = (-1, -1) if head is None else (head.incarnation, head.sequence)
    return [each for each in entries if (each.entry.incarnation, each.entry.sequence) > anchored]


def _request(signed: SignedEntry) -> ServiceRequest | None:
    if signed.entry.kind != Kind.REQUEST:
        return None
    try:
        return decode_request(signed.entry.payload)
    except MalformedPayload:
        return None


def _limit(signed: SignedEntry) -> BranchLimit | None:
    if signed.entry.kind != Kind.LIMIT:
        return None
    try:
        limit = decode_limit(signed.entry.payload)
    except MalformedPayload:
        return None
    return limit if limit.withdrawable else None
