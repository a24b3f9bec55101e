"""Shell: founds the cell of a testnet and writes the directory of each of its nodes."""

import json
import math
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from ledger.limits import NAME_BYTES
from ledger.records.genesis import Genesis
from market.rules import TariffStep
from market.units import NS_PER_S
from node.configuration.config import TimingSection
from node.configuration.config_file import config_text
from node.errors import ConfigError
from node.founding.founding import CARD_FILE, CONFIG_FILE, CellTerms, found_cell, init_node
from node.founding.member_card import MemberCard, read_card
from sim.homes.neighbourhood import Home, Neighbourhood
from sim.homes.profiles import write_profile
from sim.testnet.feeder import default_feeder, street_of
from sim.testnet.layout import CELL_DIRECTORY, CLOCK_FILE, NODES_DIRECTORY, PARAMETERS_FILE, PROFILE_FILE

CREDIT_LIMIT = 1_000 * 10**12
"""pico-currency; a thousand currency units let every home trade two weeks without a deposit."""

CONNECTION_W = 17_250
"""W of a home's connection: three phases of 25 A at 230 V."""

INITIAL_SOC = 0.5
RESERVE_SOC = 0.1
GATE_LEAD_SHARE = (3, 5)
"""The gate closes this share of an interval before delivery; the rest of the interval before is for bidding."""

PROPOSE_SHARE = 6
VOTE_SHARE = 12
"""An interval's real duration divided by these is how long nodes wait for a proposal and for votes, up to a daemon's
defaults: then an interval whose proposer is down still trades, in the round after."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a testnet was asked for; kept beside it so that reports can say so."""

    nodes: int
    intervals: int
    speed: int
    source: str
    season: str
    seed: int
    page: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A founded testnet, ready to start. `first_interval` is the first that trades."""

    directory: Path
    nodes: tuple[Path, ...]
    genesis: Genesis
    first_interval: int
    interval_s: int
    speed: int
    first_gate_ns: int

    @property
    def clock_path(self) -> Path:
        """The file that all nodes wait for."""
        return self.directory / CELL_DIRECTORY / CLOCK_FILE

    def start_clock(self, now_wall_ns: int, until_gate_s: float) -> None:
        """Write the clock file: cell time now, so that the first gate closes in so many real seconds."""
        epoch_ns = self.first_gate_ns - round(until_gate_s * self.speed * NS_PER_S)
        text = config_text({"start_wall_ns": now_wall_ns, "epoch_ns": epoch_ns, "speed": self.speed})
        draft = self.clock_path.with_suffix(".new")
        draft.write_text(text, "utf-8")
        draft.rename(self.clock_path)


def prepare(
    directory: Path,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
    change: Callable[[CellTerms, list[MemberCard]], CellTerms] = lambda terms, cards: terms,
    names: Sequence[str] = (),
) -> Prepared:
    """Found the cell, its terms changed as asked, and write every node's directory; without `names` by number.

    Raises `ConfigError` when the directory is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError([f"{directory}: is not empty; give a new directory, or remove this one"])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PARAMETERS_FILE).write_text(json.dumps(asdict(parameters), indent=2) + "\n", "utf-8")
    names = names or [f"home-{position + 1:02d}" for position in range(len(neighbourhood.homes))]
    ports = _free_ports(len(names))
    nodes = tuple(directory / NODES_DIRECTORY / name for name in names)
    cards = [
        init_node(node, _card_fields(name, home, port), validator=True, passphrase=None)
        for name, home, node, port in zip(names, neighbourhood.homes, nodes, ports, strict=True)
    ]
    lead_s = neighbourhood.interval_s * GATE_LEAD_SHARE[0] // GATE_LEAD_SHARE[1]
    terms = change(_terms(parameters, neighbourhood, names[0], lead_s), cards)
    genesis = found_cell(cards, terms, directory / CELL_DIRECTORY, passphrase=None)
    for node, card, home in zip(nodes, cards, neighbourhood.homes, strict=True):
        _write_node(node, _config(card, cards, home), home, parameters, neighbourhood)
    return Prepared(
        directory=directory,
        nodes=nodes,
        genesis=genesis,
        first_interval=neighbourhood.first_interval,
        interval_s=neighbourhood.interval_s,
        speed=parameters.speed,
        first_gate_ns=neighbourhood.start_ns - terms.gate_lead_s * NS_PER_S,
    )


def prepare_newcomer(
    prepared: Prepared, parameters: Parameters, neighbourhood: Neighbourhood, home: Home
) -> Path:
    """Write the directory of one more home, which knows the cell and is not in its genesis; nobody knows it."""
    node = prepared.nodes[0].parent / f"home-{len(prepared.nodes) + 1:02d}"
    (port,) = _free_ports(1)
    card = init_node(node, _card_fields(node.name, home, port), validator=True, passphrase=None)
    table = _config(card, [read_card(other / CARD_FILE) for other in prepared.nodes], home, joins=True)
    _write_node(node, table, home, parameters, neighbourhood)
    return node


def _write_node(
    node: Path,
    table: dict[str, dict[str, object]],
    home: Home,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
) -> None:
    write_profile(neighbourhood, home, node / PROFILE_FILE)
    if parameters.page:
        # One server shows all nodes: the daemons only tell it what they see.
        table["web"] = {"serve": False}
    table["node"]["last_trading_interval"] = neighbourhood.first_interval + parameters.intervals - 1
    timing = _timing(neighbourhood.interval_s * 1000 // parameters.speed)
    (node / CONFIG_FILE).write_text(config_text({**table, "timing": timing}), "utf-8")


def _card_fields(name: str, home: Home, port: int) -> dict[str, object]:
    return {
        "name": name,
        "branch": street_of(home),
        "max_injection_w": CONNECTION_W,
        "max_withdrawal_w": CONNECTION_W,
        "addresses": (f"/ip4/127.0.0.1/tcp/{port}",),
    }


def _terms(parameters: Parameters, neighbourhood: Neighbourhood, operator: str, lead_s: int) -> CellTerms:
    return CellTerms(
        name=_cell_name(neighbourhood),
        interval_s=neighbourhood.interval_s,
        gate_lead_s=lead_s,
        currency=neighbourhood.prices.currency,
        first_interval=neighbourhood.first_interval,
        feeder=default_feeder(neighbourhood, parameters.intervals),
        tariff=_tariff(neighbourhood),
        credit_limit=CREDIT_LIMIT,
        operator=operator,
    )


def _cell_name(neighbourhood: Neighbourhood) -> str:
    """Source and season; of a file its name without folders, and no more than a name may have."""
    printable = "".join(each if each.isprintable() else " " for each in Path(neighbourhood.source).stem)
    name = f"{printable} {neighbourhood.season}".encode()[:NAME_BYTES]
    return name.decode(errors="ignore").strip() or "cell"


def _tariff(neighbourhood: Neighbourhood) -> tuple[TariffStep, ...]:
    """The measured tariff as steps: one wherever a price changes."""
    first = neighbourhood.first_interval - neighbourhood.history
    steps: list[TariffStep] = []
    prices = zip(neighbourhood.prices.import_price, neighbourhood.prices.export_price, strict=True)
    for offset, (import_price, export_price) in enumerate(prices):
        if not steps or (steps[-1].import_price, steps[-1].export_price) != (import_price, export_price):
            steps.append(TariffStep(first + offset, import_price, export_price))
    return tuple(steps)


def _config(
    card: MemberCard, cards: list[MemberCard], home: Home, *, joins: bool = False
) -> dict[str, dict[str, object]]:
    return {
        "node": {
            "name": card.name,
            "genesis": f"../../{CELL_DIRECTORY}/genesis.cbor",
            **({"joins": True} if joins else {}),
        },
        "network": {
            "listen": card.addresses[0],
            "peers": {other.name: list(other.addresses) for other in cards if other.name != card.name},
        },
        "clock": {"file": f"../../{CELL_DIRECTORY}/{CLOCK_FILE}"},
        "site": {
            "profile": PROFILE_FILE,
            "import_limit_w": float(CONNECTION_W),
            "export_limit_w": float(CONNECTION_W),
            "linger_real_s": 30.0,
            "ders": _ders(home),
        },
    }


def _timing(interval_real_ms: int) -> dict[str, object]:
    defaults = TimingSection()
    return {
        "propose_real_ms": max(100, min(interval_real_ms // PROPOSE_SHARE, defaults.propose_real_ms)),
        "vote_real_ms": max(50, min(interval_real_ms // VOTE_SHARE, defaults.vote_real_ms)),
    }


def _ders(home: Home) -> list[dict[str, object]]:
    ders: list[dict[str, object]] = [{"kind": "load", "name": "house", "maximum_w": float(CONNECTION_W)}]
    if any(home.pv):
        ders.append({"kind": "pv", "name": "roof", "maximum_w": float(CONNECTION_W)})
    if home.battery is not None:
        one_way = math.sqrt(home.battery.efficiency_per_mille / 1000)
        ders.append(
            {
                "kind": "battery",
                "name": "battery",
                "capacity_wh": home.battery.energy / 1000,
                "charge_w": home.battery.power / 1000,
                "discharge_w": home.battery.power / 1000,
                "charge_efficiency": one_way,
                "discharge_efficiency": one_way,
                "initial_state_of_charge": INITIAL_SOC,
                "reserve": RESERVE_SOC,
            }
        )
    return ders


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now; held together while they are chosen, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
