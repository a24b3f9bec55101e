"""What must hold in a simulated cell when it has come to rest, and what became of it.

Energies are mWh, money pico-currency.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ledger.chain.replay import Replayed, replay
from ledger.errors import Corrupt
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from market.cell import EnergyCell
from market.cell_state import CellState
from market.outcomes import BlockOutcomes
from market.payloads import Kind
from market.virtual_battery.book import Aggregators
from node.trading.company import company_among
from sim.cells.shared_work import shared_work

Chain = list[Replayed[CellState]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell: the first violation (None is good), the block ids, some counts, and a digest of all
    events. `cell_s` is how much of the cell's time was played. Of a failure, the event's number and the last lines.
    """

    seed: int
    size: int
    violation: str | None
    blocks: tuple[bytes, ...]
    events: int
    digest: int
    cell_s: float
    traded: int
    frozen: int
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one honest node ended with: its ledger, and the position its devices were told per interval.

    A bit of a `rotten` ledger may have flipped in what a start from a snapshot does not read again. An audit must
    find it then.
    """

    name: str
    member: bytes
    store: Store
    positions: Mapping[int, int]
    rotten: bool = False


def chain_of(store: Store, genesis: Genesis) -> Chain:
    """A ledger, derived again from its rows, a pruned one from its base on. Raises `Corrupt`."""
    return list(replay(store, genesis, EnergyCell()))


def outcomes_of(replayed: Replayed[CellState]) -> BlockOutcomes:
    """What followed from a block in the market."""
    assert isinstance(replayed.outcomes, BlockOutcomes)
    return replayed.outcomes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the world knows of its end. Members by id.

    In the `calm` intervals every honest member must trade, in time. `exposed` must be frozen, and besides them only
    `suspects`; `latecomers` show their orders only after the gate, and must not trade; all of them are among the
    `cheats`, as are members that stopped for good.
    """

    calm: range
    exposed: frozenset[bytes]
    suspects: frozenset[bytes]
    latecomers: frozenset[bytes]
    cheats: frozenset[bytes]


def final_faults(genesis: Genesis, seen: Iterable[Seen], expected: Expected) -> Iterator[str]:
    """Everything that is wrong at the end."""
    everyone = list(seen)
    if not everyone:
        yield "no honest node signs any more"
    try:
        nodes, chains = _replayed(everyone, genesis)
    except Corrupt as fault:
        yield str(fault)
        return
    if not chains:
        return
    longest = min(chains, key=lambda chain: (-chain[-1].tip.height, chain[0].tip.height))
    for node, chain in zip(nodes, chains, strict=True):
        if not _agree(chain, longest):
            yield f"{node.name} has other blocks than the others"
            return
        yield from _position_faults(node, longest)
        if not node.store.base():
            yield from _reading_faults(node, range(genesis.first_interval, expected.calm.stop))
    yield from _money_faults(longest)
    yield from _energy_faults(longest)
    yield from _membership_faults(longest[-1], expected)
    yield from _calm_faults(longest, nodes, expected)


def _agree(chain: Chain, other: Chain) -> bool:
    """Whether two chains, either of which may be pruned, have the same block wherever both have one."""
    ids = {each.tip.height: each.tip.header_id for each in other}
    return all(ids.get(each.tip.height, each.tip.header_id) == each.tip.header_id for each in chain)


def _replayed(everyone: Sequence[Seen], genesis: Genesis) -> tuple[list[Seen], list[Chain]]:
    """The nodes whose ledgers are sound, and their chains; raises `Corrupt` for one that should be and is not.

    The first shares no work with anybody: identical blocks need that once. The others share theirs.
    """
    nodes: list[Seen] = []
    chains: list[Chain] = []
    with ExitStack() as sharing:
        for node in everyone:
            try:
                chains.append(chain_of(node.store, genesis))
            except Corrupt as fault:
                if node.rotten:
                    continue
                raise Corrupt(f"the ledger of {node.name} does not replay: {fault}") from fault
            nodes.append(node)
            if len(chains) == 1:
                sharing.enter_context(shared_work())
    return nodes, chains


def _aggregators(each: Replayed[CellState]) -> Aggregators:
    """Who bid for whom in the clearing of a block."""
    pending = each.tip.state.pending
    return {} if pending is None else pending.aggregators


def _position_faults(node: Seen, chain: Chain) -> Iterator[str]:
    """Of those that bid and are bid for by nobody else; the others are told shares."""
    filled = {
        outcomes_of(each).clearing.interval: outcomes_of(each).position_of(node.member) for each in chain
    }
    shared = {
        outcomes_of(each).clearing.interval
        for each in chain
        if not company_among(_aggregators(each), node.member).alone
    }
    first = chain[0].block.header.first_interval
    for interval, energy in node.positions.items():
        if interval >= first and interval not in shared and filled.get(interval) != energy:
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


def _energy_faults(chain: Chain) -> Iterator[str]:
    """What was sold is what was bought and what the grid took, in every clearing."""
    for each in chain:
        clearing = outcomes_of(each).clearing
        residual = clearing.grid_import - clearing.grid_export
        if sum(part.position for part in clearing.members) + residual:
            yield f"in interval {clearing.interval} other energy was sold than bought"


def _membership_faults(last: Replayed[CellState], expected: Expected) -> Iterator[str]:
    frozen = {member.id for member in last.tip.membership.members if member.frozen_at is not None}
    honest, hidden = frozen - expected.suspects, expected.exposed - frozen
    if honest:
        yield f"honest members are frozen: {sorted(each.hex()[:8] for each in honest)}"
    if hidden:
        yield f"equivocating members are not frozen: {sorted(each.hex()[:8] for each in hidden)}"


def _calm_faults(chain: Chain, nodes: list[Seen], expected: Expected) -> Iterator[str]:
    confirmations = (outcomes_of(each).confirmation for each in chain)
    timely = {each.interval for each in confirmations if each is not None and each.timely}
    covering = {
        interval: each
        for each in chain
        for interval in range(each.block.header.first_interval, each.tip.last_interval + 1)
    }
    for interval in expected.calm:
        each = covering.get(interval)
        if each is not None and _is_excused(each, expected.cheats):
            continue
        if each is None or each.tip.last_interval != interval or interval not in timely:
            yield f"interval {interval} was not decided in time, though nothing was wrong any more"
            continue
        traded = {part.member for part in outcomes_of(each).clearing.members}
        aggregators = _aggregators(each)
        if beside := traded & aggregators.keys():
            yield f"in interval {interval} {len(beside)} traded beside who bid for them"
        yield from _share_faults(outcomes_of(each), aggregators, nodes)
        for node in nodes:
            if node.member not in traded and node.member not in aggregators:
                yield f"the order of {node.name} for interval {interval} was left out"
            if interval not in node.positions:
                yield f"{node.name} was told no position for interval {interval}"
        if traded & expected.latecomers:
            yield f"an order for interval {interval} that came after its gate was let in"


def _share_faults(outcomes: BlockOutcomes, aggregators: Aggregators, nodes: list[Seen]) -> Iterator[str]:
    """What all of a virtual battery are told sums up to what was contracted, where nobody in it is at fault."""
    interval = outcomes.clearing.interval
    told = {node.member: node.positions.get(interval) for node in nodes}
    for aggregator in set(aggregators.values()):
        shares = [told.get(member) for member in company_among(aggregators, aggregator).members]
        known = [share for share in shares if share is not None]
        if len(known) == len(shares) and sum(known) != outcomes.position_of(aggregator):
            contracted = outcomes.position_of(aggregator)
            yield f"in interval {interval} {known} were told to those for whom {contracted} was contracted"


def _is_excused(each: Replayed[CellState], cheats: frozenset[bytes]) -> bool:
    """Whether several cheats in a row had the right to propose, so that there was no time to trade."""
    validators, membership = each.tip.deciders, each.tip.membership
    assert validators is not None
    first = (validators.keys[validators.proposer(each.tip.height, round_)] for round_ in (0, 1))
    proposers = [membership.by_consensus_key(key) for key in first]
    return all(member is not None and member.id in cheats for member in proposers)
