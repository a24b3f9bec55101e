"""Shell: founds a district and the streets below it, and writes the directory of each node of all of them.

A street has a gateway and homes; the district has the other side of each gateway and nobody else, so that all
its energy is that of its streets. Names are distinct over all cells. Energies are mWh.
"""

import shutil
import socket
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.records.genesis import member_id
from market.federation.parent_rule import parent_rule
from market.feeder import Feeder, Grid
from node.configuration.config_file import config_text
from node.errors import ConfigError
from node.founding.founding import CARD_FILE, CONFIG_FILE, CellTerms
from node.founding.member_card import MemberCard, read_card
from sim.homes.neighbourhood import Home, Neighbourhood
from sim.testnet.feeder import default_feeder
from sim.testnet.preparation import CONNECTION_W, Parameters, Prepared, prepare

DISTRICT = "district"
ABOVE_LEAD_SHARE = (3, 4)
"""The district's gate closes this share of an interval before delivery: it decides first."""
OWN_LEAD_SHARE = (1, 5)
"""The streets' gates; between the two a proof has to get from the district into a street."""


@dataclass(frozen=True, slots=True)
class FoundedCells:
    """A district and the streets below it. The first node of a street is its gateway.

    The district's nodes are the other sides of the gateways, in the order of the streets.
    """

    district: Prepared
    streets: tuple[Prepared, ...]

    @property
    def cells(self) -> tuple[Prepared, ...]:
        """All cells, the district first."""
        return (self.district, *self.streets)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all cells, in the same order."""
        return (DISTRICT, *(street_name(place) for place in range(len(self.streets))))

    def start_clock(self, now_wall_ns: int, until_gate_s: float) -> None:
        """One clock for all: the district's first gate, which comes first, closes in so many real seconds."""
        self.district.start_clock(now_wall_ns, until_gate_s)
        for street in self.streets:
            draft = street.clock_path.with_suffix(".new")
            shutil.copy(self.district.clock_path, draft)
            draft.rename(street.clock_path)


def street_name(place: int) -> str:
    """The name of a street, and of the member of the district that stands for it, by its place from 0."""
    return f"street-{place + 1}"


def dealt(neighbourhood: Neighbourhood, streets: int) -> tuple[tuple[Home, ...], ...]:
    """The homes over the streets, as many in each as there are: those with the most sun to spare come first.

    So streets differ, and have something to give each other. Homes that are left over belong to none.
    """
    start, each = neighbourhood.history, len(neighbourhood.homes) // streets
    sunny = sorted(
        neighbourhood.homes, key=lambda home: (sum(home.load[start:]) - sum(home.pv[start:]), home.id)
    )
    return tuple(tuple(sunny[place * each : (place + 1) * each]) for place in range(streets))


def found_cells(
    directory: Path,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
    streets: Sequence[Sequence[Home]],
    loss: int = 0,
) -> FoundedCells:
    """Found the cells below `directory` and write every node's directory.

    `loss` is what the lines of the streets lose, millionths. Raises `ConfigError` when the directory is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError([f"{directory}: is not empty; give a new directory, or remove this one"])
    idle = _idle(neighbourhood)
    lead_s = neighbourhood.interval_s * ABOVE_LEAD_SHARE[0] // ABOVE_LEAD_SHARE[1]
    grid = Grid(neighbourhood.prices.import_price[neighbourhood.history], _feed_in(neighbourhood))

    def above(terms: CellTerms, cards: list[MemberCard]) -> CellTerms:
        cards[:] = [_gateway_card(card, len(homes)) for card, homes in zip(cards, streets, strict=True)]
        return replace(terms, name=DISTRICT, gate_lead_s=lead_s, feeder=Feeder.single(grid))

    district = prepare(
        directory / DISTRICT,
        parameters,
        replace(neighbourhood, homes=(idle,) * len(streets)),
        above,
        [street_name(place) for place in range(len(streets))],
    )
    founded = []
    for place, homes in enumerate(streets):
        street = replace(neighbourhood, homes=(idle, *homes))
        below = _below(district, street_name(place), street, parameters, loss)
        names = [f"gate-{place + 1}", *(f"home-{place + 1}-{number + 1}" for number in range(len(homes)))]
        founded.append(prepare(directory / street_name(place), parameters, street, below, names))
        link(district.nodes[place], founded[-1].nodes[0])
    return FoundedCells(district, tuple(founded))


def link(parent: Path, child: Path) -> None:
    """Configure the line between the two nodes of a gateway, given their directories."""
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        ends = [f"/ip4/127.0.0.1/tcp/{free.getsockname()[1]}" for free in (one, other)]
    _configure(parent, "parent", read_card(child / CARD_FILE), ends[0], ends[1])
    _configure(child, "cell", read_card(parent / CARD_FILE), ends[1], ends[0])


def _configure(node: Path, side: str, peer: MemberCard, listen: str, reach: str) -> None:
    table = tomllib.loads((node / CONFIG_FILE).read_text("utf-8"))
    table["gateway"] = {"side": side, "listen": listen, "peer": peer.feed_key, "addresses": [reach]}
    (node / CONFIG_FILE).write_text(config_text(table), "utf-8")


def _below(
    district: Prepared, name: str, street: Neighbourhood, parameters: Parameters, loss: int
) -> Callable[[CellTerms, list[MemberCard]], CellTerms]:
    """What makes a street's terms of those of a cell by itself: its gateway, its gate and its lines."""

    def change(terms: CellTerms, cards: list[MemberCard]) -> CellTerms:
        cards[0] = _gateway_card(cards[0], len(cards) - 1)
        gateway = member_id(bytes.fromhex(cards[0].feed_key))
        lead_s = street.interval_s * ABOVE_LEAD_SHARE[0] // ABOVE_LEAD_SHARE[1]
        feeder = default_feeder(street, parameters.intervals)
        lossy = tuple(
            branch if branch.parent is None else replace(branch, loss=loss) for branch in feeder.branches
        )
        return replace(
            terms,
            name=name,
            gate_lead_s=street.interval_s * OWN_LEAD_SHARE[0] // OWN_LEAD_SHARE[1],
            feeder=replace(feeder, branches=lossy),
            parent=parent_rule(district.genesis, lead_s, name, gateway),
        )

    return change


def _gateway_card(card: MemberCard, homes: int) -> MemberCard:
    """A gateway stands at the root and carries what all homes of its street together may."""
    power_w = CONNECTION_W * max(1, homes)
    return card.model_copy(update={"branch": None, "max_injection_w": power_w, "max_withdrawal_w": power_w})


def _idle(neighbourhood: Neighbourhood) -> Home:
    """Where a gateway stands nobody lives."""
    nothing = (0,) * len(neighbourhood.prices.import_price)
    return Home("gateway", nothing, nothing, None)


def _feed_in(neighbourhood: Neighbourhood) -> int:
    return neighbourhood.prices.export_price[neighbourhood.history]
