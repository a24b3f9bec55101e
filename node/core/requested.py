"""Requests of the dso, and this member's share of each, computed from the same view as every other member's.

Sans-IO. A request acts from when it is heard, before a block has it: who may ask is in the agreed state, and each gives
at most what it has armed. Power mW, energies mWh; up is injecting more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devices.messages.orders import Activate
from devices.response.fast_response import Activation
from devices.swarm.shares import equalised, proportional
from devices.swarm.view import Member, Request, SwarmView
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.cell_state import CellState
from market.errors import MalformedPayload
from market.outcomes import BlockOutcomes
from market.payloads import Kind
from market.services.book import StandingRequest
from market.services.payloads import Sharing, decode_request, decode_withdrawal
from market.services.shares import bought, eligible_branches
from market.services.taking import MOST_REQUESTS
from market.units import MW_PER_W, NS_PER_S
from node.events import Effect, Now, Order, Report
from node.wire import Capacity

LONGEST_LEASE_S = 3_000.0
"""Real seconds that one order covers at most; it is given again before."""
REVOKED_S = 60.0
"""Real seconds for which a request that no longer counts is held at nothing: longer than any lease of it."""

BALANCE_S = 3_600
"""Seconds in which an equalised request brings the states of charge together, however long it lasts itself."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What the devices were told of a request, until which cell time."""

    standing: StandingRequest
    share_mw: int
    until_ns: int


@dataclass(slots=True)
class Requested:
    """The requests that a node knows, and what it told its devices of them."""

    member: bytes
    _heard: dict[bytes, StandingRequest] = field(default_factory=dict)
    _withdrawn: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    """By the id of a withdrawal: the request that it names, and who says so."""
    _told: dict[bytes, _Told] = field(default_factory=dict)

    def heard(self, entries: Iterable[SignedEntry], membership: Membership, state: CellState) -> None:
        """Entries that came just now: those that are requests by who may ask act at once."""
        for signed in entries:
            author = membership.by_feed_key(signed.entry.author)
            if author is None or author.frozen_at is not None:
                continue
            if signed.entry.kind == Kind.WITHDRAWAL:
                self._withdraw(signed, author.id)
            if signed.entry.kind != Kind.REQUEST:
                continue
            if not author.roles & Role.DSO or len(self._heard) >= MOST_REQUESTS:
                continue
            try:
                request = decode_request(signed.entry.payload)
            except MalformedPayload:
                continue
            branches = len(state.rules.branches)
            if request.branch is None or request.branch < branches:
                self._heard[signed.id] = StandingRequest(signed.id, author.id, request)

    def _withdraw(self, signed: SignedEntry, author: bytes) -> None:
        try:
            request = decode_withdrawal(signed.entry.payload)
        except MalformedPayload:
            return
        if len(self._withdrawn) < MOST_REQUESTS:
            self._withdrawn[signed.id] = request, author

    def decided(self, outcomes: BlockOutcomes) -> list[Effect]:
        """What a block refused does not act any longer; a request whose withdrawal it refused does again."""
        for each in outcomes.rejected:
            self._withdrawn.pop(each.entry_id, None)
        refused = [each for each in outcomes.rejected if each.entry_id in self._heard]
        for each in refused:
            del self._heard[each.entry_id]
        return [
            Report("request_refused", {"id": each.entry_id.hex()[:16], "why": each.refusal.name.lower()})
            for each in refused
        ]

    def due(
        self,
        state: CellState,
        membership: Membership,
        seen: Mapping[bytes, Capacity],
        own: Capacity | None,
        now: Now,
    ) -> list[Effect]:
        """Tell the devices what has changed of our shares. `seen` is what others said, by feed key."""
        requests = self._heard | {each.id: each for each in state.services.requests}
        self._heard = {id_: each for id_, each in self._heard.items() if each.request.end_ns > now.cell_ns}
        taken_back = set(self._withdrawn.values())
        acting = [
            each
            for each in requests.values()
            if each.request.start_ns <= now.cell_ns < each.end_ns and (each.id, each.author) not in taken_back
        ]
        # Both the request and its withdrawal are forgotten when the request would have ended.
        self._withdrawn = {id_: said for id_, said in self._withdrawn.items() if said[0] in requests}
        effects: list[Effect] = []
        for each in acting:
            effects += self._tell(each, self._share(each, state, membership, seen, own, now), now)
        for id_ in self._told.keys() - {each.id for each in acting}:
            told = self._told.pop(id_)
            if told.share_mw and now.cell_ns < told.standing.request.end_ns:
                effects.append(_order(told.standing, 0, REVOKED_S))
        return effects

    def _share(
        self,
        each: StandingRequest,
        state: CellState,
        membership: Membership,
        seen: Mapping[bytes, Capacity],
        own: Capacity | None,
        now: Now,
    ) -> int:
        request, rules = each.request, state.rules
        interval = rules.calendar.index_of(now.cell_ns)
        step = state.services.terms_at(request.name, interval)
        if step is None or not step.terms.requested or step.payer != each.author:
            return 0
        said = {
            member.id: capacity
            for key, capacity in seen.items()
            if (member := membership.by_feed_key(key)) is not None
        }
        if own is not None:
            said[self.member] = own
        members = [
            Member(
                id=member.hex(),
                branch=str(rule.branch),
                up_mw=min(span.up_mw, said[member].up_mw),
                down_mw=min(span.down_mw, said[member].down_mw),
                up_energy=said[member].up_energy,
                down_energy=said[member].down_energy,
                # Above the owners' reserves: the level that comes together is of what may be given.
                stored=said[member].up_energy if stores(said[member]) else 0,
                capacity=said[member].up_energy + said[member].down_energy if stores(said[member]) else 0,
                health=said[member].health,
                wear=said[member].wear,
            )
            for member, span in bought(state.services, request.name, interval).items()
            if member in said and (rule := rules.member(member)) is not None
        ]
        branches = eligible_branches(rules, request.branch, request.reach)
        left_s = max(1, -(-(request.end_ns - now.cell_ns) // NS_PER_S))
        asked = Request(
            each.id.hex(), request.power_mw, left_s, tuple(str(branch) for branch in sorted(branches))
        )
        view = SwarmView(members)
        if request.sharing is Sharing.EQUALISED:
            return equalised(view, asked, balance_s=BALANCE_S).of(self.member.hex())
        return proportional(view, asked).of(self.member.hex())

    def _tell(self, each: StandingRequest, share_mw: int, now: Now) -> list[Effect]:
        """Order a share that is new, or whose order is about to run out."""
        left_s = (each.request.end_ns - now.cell_ns) / now.speed / NS_PER_S
        lasts_s = min(left_s, LONGEST_LEASE_S)
        told = self._told.get(each.id)
        if told is None and share_mw == 0:
            return []
        half_ns = round(LONGEST_LEASE_S / 2 * now.speed * NS_PER_S)
        enough_ns = min(each.request.end_ns, now.cell_ns + half_ns)
        if told is not None and told.share_mw == share_mw and told.until_ns >= enough_ns:
            return []
        lasts_s = min((each.request.end_ns - now.cell_ns) / now.speed / NS_PER_S, LONGEST_LEASE_S)
        until_ns = min(each.request.end_ns, now.cell_ns + 2 * half_ns)
        self._told[each.id] = _Told(each, share_mw, until_ns)
        said = Report("share", {"request": each.id.hex()[:16], "power_mw": share_mw})
        return [_order(each, share_mw, lasts_s), said]


def stores(capacity: Capacity) -> bool:
    """Whether a member has a state of charge; one without counts as full."""
    return capacity.state_of_charge is not None


def _order(each: StandingRequest, share_mw: int, lasts_s: float) -> Order:
    return Order(
        Activate(Activation(each.id.hex(), each.request.name.decode(), share_mw / MW_PER_W), lasts_s)
    )
