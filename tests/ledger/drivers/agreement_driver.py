"""One validator's agreement fed by hand: four validators, seen from number 0 unless told otherwise."""

from collections.abc import Iterable
from typing import TypeVar

from nacl.signing import SigningKey

from ledger.agreement.algorithm import Agreement
from ledger.agreement.events import (
    BlockChecked,
    CastProposal,
    CastVote,
    Effect,
    Event,
    Persist,
    ReceivedProposal,
    ReceivedVote,
    Record,
    StartHeight,
    TimeoutExpired,
    Timeouts,
)
from ledger.agreement.records import read_records
from ledger.records.validators import ValidatorSet
from ledger.records.votes import NO_ROUND, Certificate, Proposal, SignedProposal, SignedVote, Step, Vote
from ledger.records.votes import sign_proposal as sign_own_proposal
from ledger.records.votes import sign_vote as sign_own_vote

KEYS = [SigningKey(bytes([index]) * 32) for index in range(4)]
VALIDATORS = ValidatorSet(tuple(key.verify_key.encode() for key in KEYS))
CELL = b"cell".ljust(32, b".")
A, B = b"block A".ljust(32, b"."), b"block B".ljust(32, b".")
TIMEOUTS = Timeouts(propose_ns=300, prevote_ns=100, precommit_ns=200, delta_ns=50, tick_ns=250)

PROPOSE, PREVOTE, PRECOMMIT = Step
T = TypeVar("T")


def vote(
    step: Step, index: int, block: bytes | None, round_: int = 0, *, height: int = 1, valid: int = NO_ROUND
) -> SignedVote:
    return sign_own_vote(KEYS[index], CELL, Vote(height, round_, step, block, valid, index))


def proposal(block: bytes, round_: int = 0, *, height: int = 1, valid: int = NO_ROUND) -> SignedProposal:
    index = VALIDATORS.proposer(height, round_)
    return sign_own_proposal(KEYS[index], CELL, Proposal(height, round_, valid, block, index))


def certificate(block: bytes, round_: int = 0) -> Certificate:
    precommits = [vote(PRECOMMIT, index, block, round_).signature for index in (1, 2, 3)]
    return Certificate(1, round_, block, (None, *precommits))


class Node:
    """The agreement of one validator, fed by hand; its own casts are signed and fed back."""

    def __init__(
        self, own: int | None = 0, *, can_sign: bool = True, records: tuple[Record, ...] = ()
    ) -> None:
        self.agreement = Agreement(TIMEOUTS)
        self.own = own
        self.now_ns = 1000
        self.seen: list[Effect] = []
        self.feed(StartHeight(1, VALIDATORS, own, can_sign, records))

    def feed(self, *events: Event) -> list[Effect]:
        """All effects of the events and of hearing oneself."""
        effects: list[Effect] = []
        for event in events:
            new = self.agreement.handle(event, self.now_ns)
            effects += new
            for cast in of(new, CastVote):
                signed = sign_own_vote(KEYS[cast.vote.validator], CELL, cast.vote)
                effects += self.feed(ReceivedVote(signed))
            for proposed in of(new, CastProposal):
                key = KEYS[proposed.proposal.validator]
                effects += self.feed(ReceivedProposal(sign_own_proposal(key, CELL, proposed.proposal)))
        self.seen += [effect for effect in effects if effect not in self.seen]
        return effects

    def hear(self, *messages: SignedVote | SignedProposal) -> list[Effect]:
        return self.feed(
            *(ReceivedVote(one) if isinstance(one, SignedVote) else ReceivedProposal(one) for one in messages)
        )

    def check(self, block: bytes, round_: int = 0, *, fresh: bool = True, valid: bool = True) -> list[Effect]:
        return self.feed(BlockChecked(1, round_, block, fresh, valid))

    def locked_on_a(self) -> "Node":
        """Round 0 ended with a lock on A here, and no decision."""
        self.hear(proposal(A))
        self.check(A)
        self.hear(vote(PREVOTE, 1, A), vote(PREVOTE, 2, A))
        self.hear(vote(PRECOMMIT, 1, None), vote(PRECOMMIT, 2, None))
        self.feed(TimeoutExpired(PRECOMMIT, 1, 0))
        assert self.agreement.round == 1
        return self


def of(effects: Iterable[Effect], kind: type[T]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def votes_in(effects: Iterable[Effect]) -> list[tuple[Step, bytes | None]]:
    return [(cast.vote.step, cast.vote.block_id) for cast in of(effects, CastVote)]


def persisted(node: Node) -> tuple[Record, ...]:
    return read_records([one.record for one in of(node.seen, Persist)], 1, CELL, VALIDATORS)
