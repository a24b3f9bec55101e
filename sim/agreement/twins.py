"""Shell: runs Twins scenarios (`sim.agreement.twins_scenarios`) against the real agreement, in virtual time, no disk.

Checked in every scenario: no two honest validators decide differently, every decision has a certificate of a quorum, no
honest validator signs two words for one step, evidence names the twinned validator alone, and once the network is
whole every honest validator decides within ``LIVENESS_NS``. Signatures are stand-ins, a hash of what is signed: what is
tested is who says what and when, not Ed25519. Blocks are ids, each instance proposes one of its own in each round,
all are valid and held by everybody.

``python -m sim.agreement.twins FIRST COUNT`` runs scenarios by number and stops at the first that fails.
"""

import heapq
import sys
import time
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256, sha512
from typing import assert_never

from ledger import agreement_events as ev
from ledger.agreement import Agreement
from ledger.signing import seal
from ledger.votes import NO_ROUND, Certificate, Proposal, SignedProposal, SignedVote, Step, Vote
from sim.agreement.twins_scenarios import (
    INSTANCES,
    TWINNED,
    VALIDATORS,
    WHOLE,
    Groups,
    Scenario,
    ScenarioValidators,
    validator_of,
)

MS = 1_000_000
TIMEOUTS = ev.Timeouts(
    propose_ns=40 * MS, prevote_ns=20 * MS, precommit_ns=20 * MS, delta_ns=5 * MS, tick_ns=200 * MS
)
PHASE_NS = 200 * MS
"""After so long the network leaves the split of a round, even if some instance is stuck in that round."""
LIVENESS_NS = 2_000 * MS
"""From the healing to the last decision: a tick, and rounds until an honest leader's."""
QUORUM = 3
"""Of four validators; counted here anew, so that a wrong quorum in the ledger is seen."""
HEIGHT = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scenario: the first violation (None is good), the decision's round, and when it was complete."""

    scenario: Scenario
    violation: str | None
    round: int | None
    ended_ns: int


def run_scenario(number: int) -> Outcome:
    """Run the scenario with a number."""
    scenario = Scenario.numbered(number)
    try:
        return TwinsWorld(scenario).run()
    except Exception as fault:
        fault.add_note(f"scenario {number}\n{scenario}")
        raise


class TwinsWorld:
    """Five instances of the agreement, the network between them, and the checks."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._validators = ScenarioValidators.of(scenario)
        self._agreements = [Agreement(TIMEOUTS, HEIGHT - 1) for _ in range(INSTANCES)]
        self._healed_ns = len(scenario.rounds) * PHASE_NS
        self._now_ns = 0
        self._arriving: deque[tuple[int, ev.Event]] = deque()
        self._timers: list[tuple[int, int, int, ev.Event]] = []
        self._scheduled = 0
        self._signed: dict[tuple[int, int, Step], bytes] = {}
        self._decided: dict[int, ev.Decide] = {}
        self._violation: str | None = None

    def run(self) -> Outcome:
        """Let time pass until every honest validator has decided, something is violated, or time is up."""
        for instance in range(INSTANCES):
            start = ev.StartHeight(HEIGHT, self._validators, validator_of(instance), can_sign=True)
            self._arriving.append((instance, start))
        while self._violation is None:
            while self._arriving:
                instance, event = self._arriving.popleft()
                self._handle(instance, event)
            if len(self._decided) == VALIDATORS - 1:
                break
            if not self._timers or self._timers[0][0] > self._healed_ns + LIVENESS_NS:
                self._fail(f"not live: only {sorted(self._decided)} have decided")
                break
            self._now_ns, _, instance, event = heapq.heappop(self._timers)
            self._arriving.append((instance, event))
        last = max((each.round for each in self._decided.values()), default=None)
        return Outcome(self._scenario, self._violation, last, self._now_ns)

    def _handle(self, instance: int, event: ev.Event) -> None:
        for effect in self._agreements[instance].handle(event, self._now_ns):
            self._perform(instance, effect)

    def _perform(self, instance: int, effect: ev.Effect) -> None:
        match effect:
            case ev.Persist() | ev.RequestBlock():
                pass
            case ev.CastVote(vote):
                self._say(instance, _signed_vote(vote))
            case ev.CastProposal(proposal):
                self._say(instance, _signed_proposal(proposal))
            case ev.Broadcast(message):
                self._send_to_all(instance, message, self._groups(instance, Step.PREVOTE))
            case ev.Compare():
                self._compare(instance, effect)
            case ev.ScheduleTimeout(step, height, round_, at_ns):
                self._schedule(at_ns, instance, ev.TimeoutExpired(step, height, round_))
            case ev.ScheduleTick(height, at_ns):
                self._schedule(at_ns, instance, ev.Tick(height))
            case ev.GetValue(height, round_):
                self._arriving.append((instance, ev.ValueReady(height, round_, _block_id(instance, round_))))
            case ev.CheckBlock(height, round_, block_id, fresh):
                self._arriving.append((instance, ev.BlockChecked(height, round_, block_id, fresh, True)))
            case ev.Decide():
                self._decide(instance, effect)
            case ev.FoundEvidence(first, _):
                if first.content.validator != TWINNED:
                    self._fail(f"evidence against the honest validator {first.content.validator}")
            case _:
                assert_never(effect)

    def _say(self, instance: int, signed: SignedVote | SignedProposal) -> None:
        content = signed.content
        place = (instance, content.round, content.step)
        if self._signed.setdefault(place, signed.body) != signed.body:
            self._fail(f"instance {instance} signed twice in round {content.round}, {content.step.name}")
        self._arriving.append((instance, _received(signed)))
        self._send_to_all(instance, signed, self._groups(instance, content.step))

    def _send_to_all(self, sender: int, message: ev.Message, groups: Groups) -> None:
        event = _received(message)
        for receiver in range(INSTANCES):
            if receiver != sender and groups[receiver] == groups[sender]:
                self._arriving.append((receiver, event))

    def _compare(self, asker: int, effect: ev.Compare) -> None:
        groups = self._groups(asker, Step.PREVOTE)
        for other in range(INSTANCES):
            if other != asker and groups[other] == groups[asker]:
                for message in self._agreements[other].answer(effect.standing):
                    self._arriving.append((asker, _received(message)))

    def _groups(self, sender: int, step: Step) -> Groups:
        """Who hears whom now: the split of the sender's round, or of a later one when that lasts too long."""
        row = max(self._agreements[sender].round, self._now_ns // PHASE_NS)
        if row >= len(self._scenario.rounds):
            return WHOLE
        splits = self._scenario.rounds[row]
        return splits.precommitting if step is Step.PRECOMMIT else splits.prevoting

    def _schedule(self, at_ns: int, instance: int, event: ev.Event) -> None:
        self._scheduled += 1
        heapq.heappush(self._timers, (at_ns, self._scheduled, instance, event))

    def _decide(self, instance: int, decision: ev.Decide) -> None:
        if validator_of(instance) == TWINNED:
            return
        self._decided[instance] = decision
        if any(other.block_id != decision.block_id for other in self._decided.values()):
            self._fail("two honest validators decided differently")
        if not _is_certified(decision.certificate):
            self._fail(f"validator {instance} decided without a quorum")

    def _fail(self, violation: str) -> None:
        self._violation = self._violation or f"{violation} (at {self._now_ns // MS} ms)"


def _received(message: ev.Message) -> ev.Event:
    match message:
        case SignedVote():
            return ev.ReceivedVote(message)
        case SignedProposal():
            return ev.ReceivedProposal(message)
        case Certificate():
            return ev.ReceivedCertificate(message)


def _is_certified(certificate: Certificate) -> bool:
    """What `Certificate.check` finds for real signatures."""
    for index in certificate.signers:
        precommit = Vote(HEIGHT, certificate.round, Step.PRECOMMIT, certificate.block_id, NO_ROUND, index)
        if certificate.signatures[index] != _signed_vote(precommit).signature:
            return False
    return len(certificate.signers) >= QUORUM and len(certificate.signatures) == VALIDATORS


@lru_cache(maxsize=1 << 16)
def _signed_vote(vote: Vote) -> SignedVote:
    body = vote.encode()
    signature = sha512(body).digest()
    return SignedVote(vote, _key(vote.validator), body, signature, seal(body, signature))


@lru_cache(maxsize=1 << 16)
def _signed_proposal(proposal: Proposal) -> SignedProposal:
    body = proposal.encode()
    signature = sha512(body).digest()
    return SignedProposal(proposal, _key(proposal.validator), body, signature, seal(body, signature))


@lru_cache(maxsize=1 << 12)
def _block_id(instance: int, round_: int) -> bytes:
    return sha256(b"block of instance %d, round %d" % (instance, round_)).digest()


def _key(validator: int) -> bytes:
    return _ANY_SCENARIO.keys[validator]


_ANY_SCENARIO = ScenarioValidators.of(Scenario.numbered(0))


def search(first: int, count: int) -> Outcome | None:
    """The first failing scenario among ``count`` numbers from ``first``, or None."""
    outcomes = (run_scenario(number) for number in range(first, first + count))
    return next((outcome for outcome in outcomes if outcome.violation), None)


def main(first: int, count: int) -> int:
    """Run scenarios and say what was found; the exit status."""
    began = time.perf_counter()
    found = search(first, count)
    if found is None:
        rate = count / (time.perf_counter() - began)
        sys.stdout.write(f"{count} Twins scenarios from {first}: nothing violated ({rate:.0f} per second)\n")
        return 0
    sys.stderr.write(f"scenario {found.scenario.number}: {found.violation}\n{found.scenario}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
