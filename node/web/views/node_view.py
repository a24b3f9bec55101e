"""How the node stands, where its power flows and what its devices do."""

import math
import re

from devices.image import DerKind
from devices.messages.control_messages import DeviceReport, HealthReport, ImageReport
from market.orders import Side
from market.outcomes import ClearingOutcome
from market.units import NS_PER_MS
from node.agreement.protocols import Protocols
from node.views.emergency_view import declared_by
from node.views.membership_view import role_names
from node.web.answers import AlarmAnswer, Clock, Ders, EventAnswer, Flows, Sensor, Status, Unit
from node.web.live_state import AlarmSeen, EventSeen
from node.web.watched_node import WatchedNode, moment

STALE_NS = 5_000_000_000
"""ns of real time after which an image says nothing about now: ten times its pace."""
MOST_TEXT = 200
"""Characters of a text of the log; a longer one is cut."""
FAST_STORES = frozenset({"flywheel", "supercapacitor"})


def status_of(node: WatchedNode, cell_ns: int, *, can_act: bool) -> Status:
    """The node's status."""
    history, core, clock = node.history, node.live.core, node.clock
    genesis, tip, rule = history.genesis, history.tip, node.rule
    rules = None if tip is None else tip.state.rules
    last = history.blocks[-1] if history.blocks else None
    validators = 0 if tip is None else len(tip.validators.keys)
    agreed = next((e for e in reversed(node.live.events) if e.event == "block"), None)
    member = node.member
    return Status(
        node=node.name,
        member="" if member is None else member.id.hex(),
        branch=None if rule is None or rules is None else rules.branches[rule.branch].name,
        roles=[] if member is None else role_names(member.roles),
        cell=genesis.cell_name.decode(),
        cell_id=genesis.cell_id.hex(),
        currency="" if rules is None else rules.currency,
        interval_s=0 if rules is None else rules.interval_s,
        gate_lead_s=0 if rules is None else rules.gate_lead_s,
        clock=Clock(
            cell_time=moment(cell_ns),
            epoch_ms=clock.epoch_ns / NS_PER_MS,
            start_wall_ms=clock.start_wall_ns / NS_PER_MS,
            speed=clock.speed,
        ),
        connected=node.live.connected,
        active=bool(core.get("active")),
        read_only=core.get("read_only"),
        protocol=None if tip is None else tip.membership.protocol.version,
        upgrade_needed=tip is not None and Protocols().lacks(tip.membership) is not None,
        emergency=None if tip is None else declared_by(tip.state),
        mode=None if node.live.image is None else node.live.image.mode.value,
        peers=list(core.get("connected", [])) if node.live.connected else [],
        members=0 if tip is None else len(tip.membership.members),
        quorum=0 if tip is None else tip.validators.quorum,
        tolerates=max(0, (validators - 1) // 3),
        height=max(node.height, int(core.get("height", 0))),
        followed=history.height,
        interval=node.interval_at(cell_ns),
        last_block_at=None if last is None else moment(last.header.time_ns),
        agreement_ms=None if agreed is None else agreed.fields.get("agreement_ms"),
        fault=node.fault,
        can_act=can_act,
    )


def flows_of(node: WatchedNode, cell_ns: int, real_ns: int) -> Flows:
    """Where power flows now; what is stale is not known."""
    image = _fresh(node, real_ns)
    if image is None:
        return Flows(**dict.fromkeys(Flows.model_fields, None))
    by_kind = {kind: [each for each in image.devices if each.kind is kind] for kind in DerKind}
    fast = [each for each in by_kind[DerKind.BATTERY] if _type(node, each) in FAST_STORES]
    slow = [each for each in by_kind[DerKind.BATTERY] if each not in fast]
    stores = {battery.name: battery for battery in node.control.batteries}
    connection_w = image.connection_w
    neighbours_w = _neighbours_w(node, connection_w, node.interval_at(cell_ns))
    return Flows(
        measured_at=moment(image.cell_ns),
        connection_w=connection_w,
        pv_w=_power(by_kind[DerKind.PV]),
        battery_w=_power(slow),
        flywheel_w=_power(fast),
        generator_w=_power(by_kind[DerKind.GENERATOR]),
        load_w=_power([*by_kind[DerKind.LOAD], *by_kind[DerKind.FLEXIBLE]]),
        neighbours_w=neighbours_w,
        grid_w=None if connection_w is None or neighbours_w is None else connection_w - neighbours_w,
        stored_wh=_sum([each.stored_wh for each in by_kind[DerKind.BATTERY]]),
        capacity_wh=sum(each.capacity_wh for each in stores.values()) if stores else None,
        reserve_wh=_reserve_wh(node) if stores else None,
        mode=image.mode.value,
        wish=image.wish,
        binding=image.binding,
        settled=image.settled,
        readiness=image.readiness,
    )


def ders_of(node: WatchedNode, real_ns: int) -> Ders:
    """Every device, its newest image and what alarms say of it."""
    image = _fresh(node, real_ns)
    known = node.live.image
    if known is None:
        return Ders(measured_at=None, binding=None, services=_services(node), units=[], sensors=[])
    health = {each.name: each for each in known.health}
    sensors = [
        Sensor(name=each.name, kind=each.kind.value, value=each.value, unit=each.unit, text=each.warning)
        for each in known.sensors
    ]
    watched = [
        Sensor(
            name=each.name,
            kind=each.device,
            value=None,
            unit="",
            text=f"{each.why}{', kept in standby' if each.asleep else ''}",
        )
        for each in known.watched
    ]
    return Ders(
        measured_at=None if image is None else moment(image.cell_ns),
        binding=None if image is None else image.binding,
        services=_services(node),
        units=[_unit(node, each, health.get(each.name), image is not None) for each in known.devices],
        sensors=[*sensors, *watched],
    )


def alarm_of(seen: AlarmSeen) -> AlarmAnswer:
    """One alarm."""
    return AlarmAnswer(
        number=seen.number,
        code=seen.alarm.code.value,
        severity=seen.alarm.severity.value,
        device=seen.alarm.device,
        text=seen.alarm.text,
        raised_at=moment(seen.alarm.cell_ns),
        cleared_at=None if seen.cleared_ns is None else moment(seen.cleared_ns),
        acknowledged_by=seen.acknowledged_by,
    )


def event_of(seen: EventSeen) -> EventAnswer:
    """One line of the log, its fields in words."""
    said = {name: value for name, value in seen.fields.items() if value is not None and value != []}
    fields = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in said.items())
    return EventAnswer(number=seen.number, time=moment(seen.cell_ns), event=seen.event, text=fields)


def _short(value: object) -> str:
    match value:
        case str() if len(value) > MOST_TEXT or re.fullmatch(r"[0-9a-f]{24,}", value):
            return f"{value[:12]}…"
        case float():
            return f"{value:.1f}"
        case list():
            return " ".join("-" if each is None else _short(each) for each in value)
    return str(value)


def _fresh(node: WatchedNode, real_ns: int) -> ImageReport | None:
    image = node.live.image
    if image is None or not node.live.connected or real_ns - image.real_ns > STALE_NS:
        return None
    return image


def _unit(node: WatchedNode, seen: DeviceReport, health: HealthReport | None, fresh: bool) -> Unit:
    battery = next((each for each in node.control.batteries if each.name == seen.name), None)
    table = node.table_of(seen.name)
    plate_w = table.get("maximum_w")
    draw_w = node.live.image.connection_w if fresh and node.live.image is not None else None
    bridging = None
    if battery is not None and seen.stored_wh is not None and draw_w is not None and draw_w < 0:
        bridging = seen.stored_wh * battery.discharge_efficiency * 3600 / -draw_w
    return Unit(
        name=seen.name,
        kind=seen.kind.value,
        type=_type(node, seen),
        power_w=seen.power_w if fresh else None,
        setpoint_w=seen.setpoint_w if fresh else None,
        stored_wh=seen.stored_wh if fresh else None,
        capacity_wh=None if battery is None else battery.capacity_wh,
        available_w=seen.available_w if fresh else None,
        reserve=node.reserve_of(seen.name),
        maximum_w=float(plate_w) if isinstance(plate_w, int | float) else None,
        temperature_c=None if health is None else health.temperature_c,
        voltage_v=None if health is None else health.voltage_v,
        state_of_health=None if health is None else health.state_of_health,
        power_factor=None if health is None else health.factor,
        bridging_s=bridging,
        alarms=[each.alarm.text for each in node.live.standing() if each.alarm.device == seen.name],
    )


def _services(node: WatchedNode) -> list[str]:
    site = node.config.site
    armed = [f"{each.service}: {each.up_w:g} W up, {each.down_w:g} W down" for each in site.armed_services]
    return [*armed, *(f"{name}: always" for name in site.mandatory_services)]


def _type(node: WatchedNode, seen: DeviceReport) -> str:
    table = node.table_of(seen.name)
    return str(table.get("type") or table.get("kind") or seen.kind.value)


def _reserve_wh(node: WatchedNode) -> float:
    return sum((node.reserve_of(each.name) or 0.0) * each.capacity_wh for each in node.control.batteries)


def _power(devices: list[DeviceReport]) -> float | None:
    """What devices give together; None without any, or while one of them is not known."""
    return _sum([each.power_w for each in devices]) if devices else None


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _neighbours_w(node: WatchedNode, connection_w: float | None, interval: int) -> float | None:
    """What crosses the connection between neighbours: the part of the contract that the auction matched with members.

    What goes beyond the contract is an imbalance, and that is the grid's.
    """
    block, member = node.history.auction(interval), node.member
    if block is None or member is None or connection_w is None:
        return None if connection_w is None else 0.0
    position_w = node.power_w(block.outcomes.position_of(member.id))
    if position_w * connection_w <= 0:
        return 0.0
    share = between_members(block.clearing, selling=connection_w > 0)
    return math.copysign(min(abs(position_w) * share, abs(connection_w)), connection_w)


def between_members(clearing: ClearingOutcome, *, selling: bool) -> float:
    """The part of what members sold (or bought) in an auction that went to (or came from) members."""
    side, with_grid = (Side.SELL, clearing.grid_export) if selling else (Side.BUY, clearing.grid_import)
    traded = sum(fill.filled for part in clearing.members for fill in part.fills if fill.side is side)
    return max(0.0, 1 - with_grid / traded) if traded else 0.0
