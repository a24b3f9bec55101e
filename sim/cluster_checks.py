"""What must hold in a simulated cell when it has come to rest. Energies are mWh, money pico-currency."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.errors import Corrupt
from ledger.genesis import Genesis
from ledger.replay import Replayed, replay
from ledger.store import Store
from market.cell import EnergyCell
from market.cell_state import CellState
from market.outcomes import BlockOutcomes
from market.payloads import Kind

Chain = list[Replayed[CellState]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one honest node ended with: its ledger, and the position its devices were told per interval."""

    name: str
    member: bytes
    store: Store
    positions: Mapping[int, int]


def chain_of(store: Store, genesis: Genesis) -> Chain:
    """A ledger, derived again from its rows. Raises `Corrupt`."""
    return list(replay(store, genesis, EnergyCell()))


def outcomes_of(replayed: Replayed[CellState]) -> BlockOutcomes:
    """What followed from a block in the market."""
    assert isinstance(replayed.outcomes, BlockOutcomes)
    return replayed.outcomes


def final_faults(
    genesis: Genesis,
    seen: Iterable[Seen],
    calm: range,
    exposed: frozenset[bytes],
    latecomers: frozenset[bytes],
) -> Iterator[str]:
    """Everything that is wrong at the end.

    In the `calm` intervals every honest member must trade, in time. `exposed` must be frozen, and nobody else;
    `latecomers` show their orders only after the gate, and must not trade.
    """
    nodes = list(seen)
    chains: list[Chain] = []
    for node in nodes:
        try:
            chains.append(chain_of(node.store, genesis))
        except Corrupt as fault:
            yield f"the ledger of {node.name} does not replay: {fault}"
            return
    longest = max(chains, key=len)
    for node, chain in zip(nodes, chains, strict=True):
        ids = [each.tip.header_id for each in chain]
        if ids != [each.tip.header_id for each in longest[: len(ids)]]:
            yield f"{node.name} has other blocks than the others"
            return
        yield from _position_faults(node, longest)
        yield from _reading_faults(node, range(genesis.first_interval, calm.stop))
    yield from _money_faults(longest)
    yield from _membership_faults(longest[-1], exposed)
    yield from _calm_faults(longest, calm, nodes, latecomers)


def _position_faults(node: Seen, chain: Chain) -> Iterator[str]:
    filled = {
        outcomes_of(each).clearing.interval: outcomes_of(each).position_of(node.member) for each in chain
    }
    for interval, energy in node.positions.items():
        if filled.get(interval) != energy:
            yield f"{node.name} was told {energy} for interval {interval} and filled {filled.get(interval)}"


def _reading_faults(node: Seen, intervals: range) -> Iterator[str]:
    last = node.store.last_sequence(node.member, 0)
    read = [
        signed.entry.interval
        for signed in node.store.entries(node.member, 0, -1, last)
        if signed.entry.kind == Kind.READING
    ]
    if sorted(read) != list(intervals):
        yield f"{node.name} should have reported {intervals} once each and reported {sorted(read)}"


def _money_faults(chain: Chain) -> Iterator[str]:
    for each in chain:
        total = sum(each.tip.state.balances.values())
        if total:
            yield f"after block {each.tip.height} there is {total} too much money"


def _membership_faults(last: Replayed[CellState], exposed: frozenset[bytes]) -> Iterator[str]:
    frozen = {member.id for member in last.tip.membership.members if member.frozen_at is not None}
    if frozen - exposed:
        yield f"honest members are frozen: {sorted(each.hex()[:8] for each in frozen - exposed)}"
    if exposed - frozen:
        yield f"equivocating members are not frozen: {sorted(each.hex()[:8] for each in exposed - frozen)}"


def _calm_faults(chain: Chain, calm: range, nodes: list[Seen], latecomers: frozenset[bytes]) -> Iterator[str]:
    by_interval = {each.tip.last_interval: outcomes_of(each) for each in chain}
    confirmed = {
        outcomes_of(each).confirmation.interval  # type: ignore[union-attr]
        for each in chain
        if outcomes_of(each).confirmation is not None and outcomes_of(each).confirmation.timely  # type: ignore[union-attr]
    }
    for interval in calm:
        outcomes = by_interval.get(interval)
        if outcomes is None or interval not in confirmed:
            yield f"interval {interval} was not decided in time, though nothing was wrong any more"
            continue
        traded = {part.member for part in outcomes.clearing.members}
        for node in nodes:
            if node.member not in traded:
                yield f"the order of {node.name} for interval {interval} was left out"
            if interval not in node.positions:
                yield f"{node.name} was told no position for interval {interval}"
        if traded & latecomers:
            yield f"an order for interval {interval} that came after its gate was let in"
