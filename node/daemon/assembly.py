"""Shell: puts the core together from a configuration and an opened data directory; reads the profile's past."""

from devices.configuration.control_config import parse_config
from devices.profiles import read_profile
from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.records.entries import Entry, open_entry
from ledger.records.genesis import Role
from market.cell import EnergyCell
from market.cell_state import CellState
from market.forecast import PriceHistory, SeasonalNaive
from market.payloads import Kind
from market.rules import CellRules
from market.units import MW_PER_W, NS_PER_MS, PRICE_PER_UNIT, S_PER_DAY, S_PER_HOUR
from node.agreement.belonging import Identity, confirmations_needed
from node.agreement.gathering import Gathering
from node.agreement.joining import Joining
from node.agreement.ordering import Ordering
from node.agreement.protocols import Protocols
from node.agreement.recall import Recall
from node.agreement.syncing import Syncing
from node.agreement.timeliness import Attention
from node.alarms.alarm_feed import AlarmFeed
from node.configuration.bidding import carbon_of, configured_bidder, configured_expectations
from node.configuration.config import Config, armings, control_table
from node.core.commands import Commands
from node.core.core import NodeCore
from node.core.emergency import Emergency
from node.core.offers import Offer, Offers
from node.core.requested import Requested
from node.core.serving import Serving
from node.daemon.startup import Opened, agreement_timeouts
from node.demand.demand import Demand
from node.demand.setting_up import configured_demand
from node.events import Now
from node.gateway.timing import bids_earlier_ns
from node.instructions import Instructions
from node.trading.trading import PPM, Trading

SETTLING_INTERVALS = 2
"""Intervals after the last trading one that blocks still cover, so that its readings are settled."""
PRICE_DAYS = 3
RECENT_ENTRIES = 256
"""Own entries read again at a start: more than control can hold back in the moment of a crash."""


def assemble(config: Config, opened: Opened, now: Now) -> NodeCore:
    """The core of one node, as of `now`."""
    rules = opened.tip.state.rules
    margin_ns = config.timing.gate_margin_real_ms * NS_PER_MS * config.clock.speed
    gathering = Gathering(opened.feeds, opened.tip.membership, opened.store)
    gathering.restore()
    last = config.node.last_trading_interval
    ordering = Ordering(
        cell_id=opened.genesis.cell_id,
        application=EnergyCell(),
        tip=opened.tip,
        calendar=rules.calendar,
        margin_ns=margin_ns,
        source=gathering,
        gate=gathering,
        timeouts=agreement_timeouts(config),
        own_key=opened.member.consensus_key,
        attention=Attention(now.cell_ns),
        last_certificate=opened.last_certificate,
        last_interval=None if last is None else last + SETTLING_INTERVALS,
        protocols=Protocols(opened.member.id),
    )
    ordering.keep(opened.blocks)
    joining = Joining(
        genesis=opened.genesis,
        founders=Membership.founding(opened.genesis).validators(),
        member=opened.member.id,
        remembered=opened.remembered,
        recall=Recall(confirmations_needed(opened.tip.membership, opened.member.id), opened.member.feed_key),
        ordering=ordering,
        gathering=gathering,
        syncing=Syncing(),
        epochs=opened.epochs,
        keep_blocks=config.retention.blocks,
    )
    said = _recent_entries(opened)
    demand = configured_demand(config, opened.member.id, said)
    return NodeCore(
        identity=Identity(opened.member.id, opened.member.feed_key, opened.member.consensus_key),
        gathering=gathering,
        ordering=ordering,
        trading=_trading(config, opened, opened.tip, margin_ns, said, demand, now),
        recall=joining.recall,
        remembered=opened.remembered,
        joining=joining,
        serving=_serving(config, opened, said, demand),
        syncing=joining.syncing,
        read_only=opened.read_only,
        records=opened.records,
        instructions=Instructions.after(said),
        begin_trading=lambda tip, at: _trading(config, opened, tip, margin_ns, [], demand, at),
    )


def _serving(config: Config, opened: Opened, recent: list[Entry], demand: Demand) -> Serving:
    """What this member does for the grid: it offers what its configuration arms."""
    member = opened.member.id
    offered = tuple(
        Offer(each.curve.name.encode(), round(each.up_w * MW_PER_W), round(each.down_w * MW_PER_W))
        for each in armings(config)
    )
    names = tuple(str(table["name"]) for table in config.site.ders if "name" in table)
    return Serving(
        member=member,
        tip=opened.tip,
        offers=Offers(member, offered),
        requested=Requested(member),
        alarms=AlarmFeed.after(member, recent),
        commands=Commands(member, names),
        emergency=Emergency.after(member, recent),
        demand=demand,
    )


def _trading(
    config: Config,
    opened: Opened,
    tip: Tip[CellState],
    margin_ns: int,
    recent: list[Entry],
    demand: Demand,
    now: Now,
) -> Trading | None:
    """This member's trading, if the cell has a metering point of it by now."""
    rules, member = tip.state.rules, tip.membership.by_id(opened.member.id)
    rule = rules.member(opened.member.id)
    if rule is None or member is None or not member.roles & Role.PROSUMER:
        return None
    if (
        config.gateway.side is not None
    ):  # a gateway says what the other cell and this one decide, and nothing else
        return None
    season = S_PER_DAY // rules.interval_s
    load, generation = _learned(config, rules, season, now)
    typical, calendar = carbon_of(config.bidding, rules.interval_s), rules.calendar
    return Trading(
        rules=rules,
        rule=rule,
        bidder=configured_bidder(config.bidding, season),
        first_interval=max(opened.genesis.first_interval, rule.since),
        last_trading_interval=config.node.last_trading_interval,
        order_lead_ns=2 * margin_ns + bids_earlier_ns(rules, margin_ns),
        efficiency_ppm=_round_trip_ppm(config),
        load=load,
        generation=generation,
        prices=_known_prices(rules, opened, season),
        reported={said.interval for said in recent if said.kind == Kind.READING},
        bid_for=max((said.interval for said in recent if said.kind == Kind.ORDER), default=-1),
        expectations=configured_expectations(config, rules, season, now),
        horizon=config.bidding.horizon_hours * S_PER_HOUR // rules.interval_s,
        carbon=lambda interval: demand.carbon(interval, calendar, typical(interval)),
        told=lambda interval, tariff: demand.prices(interval, calendar, tariff),
        wear=round(config.bidding.wear * PRICE_PER_UNIT),
    )


def _recent_entries(opened: Opened) -> list[Entry]:
    """What this member said last, so that a restarted node does not say it again."""
    member, store = opened.member, opened.store
    last = store.last_sequence(member.id, member.incarnation)
    after = max(-1, last - RECENT_ENTRIES)
    envelopes = store.envelopes(member.id, member.incarnation, after, RECENT_ENTRIES)
    return [open_entry(envelope, opened.genesis.cell_id).entry for envelope in envelopes]


def _learned(config: Config, rules: CellRules, season: int, now: Now) -> tuple[SeasonalNaive, SeasonalNaive]:
    """Forecasters that know what the profile says of the past, as a real home's meter remembers it."""
    load, generation = SeasonalNaive(season), SeasonalNaive(season)
    path = config.profile_path
    if path is None:
        return load, generation
    with path.open(encoding="utf-8", newline="") as lines:
        profile = read_profile(lines, str(path))
    calendar = rules.calendar
    present = calendar.index_of(now.cell_ns)
    for interval in range(present - 2 * season, present):
        start_ns, end_ns = calendar.start_ns(interval), calendar.end_ns(interval)
        if profile.load.covers(start_ns):
            load = load.observe(interval, profile.load.energy_between(start_ns, end_ns))
            generation = generation.observe(interval, profile.pv.energy_between(start_ns, end_ns))
    return load, generation


def _round_trip_ppm(config: Config) -> int:
    """The worst round trip of the site's batteries, in millionths; without a battery it does not matter."""
    batteries = parse_config(control_table(config, interval_s=900)).batteries
    trips = [battery.charge_efficiency * battery.discharge_efficiency for battery in batteries]
    return int(min(trips, default=1.0) * PPM)


def _known_prices(rules: CellRules, opened: Opened, season: int) -> PriceHistory:
    """The tariff of the days before the cell began: what a member knew of prices then."""
    first, capacity = opened.genesis.first_interval, PRICE_DAYS * season
    prices = (rules.tariff_at(interval).import_price for interval in range(first - capacity, first))
    return PriceHistory(capacity, tuple(prices))
