"""What may be said of the cell from one node, what holds of it, and what holds of its own devices."""

from ledger.records.genesis import Role
from market.administration.book import EVERYBODY
from market.administration.payloads import Right, device_key
from market.cell_state import CellState
from market.rules import TariffStep
from market.units import MW_PER_W
from node.saying.devices import PRIORITIES
from node.saying.grid import requested_services
from node.saying.tariffs import SUBJECT, soonest
from node.views.membership_view import change_text
from node.web.operator_answers import ActingRequest, CellControl, PlannedLimit, PlannedTariff
from node.web.saying_entries import Saying
from node.web.settings_answers import DeviceAccess
from node.web.watched_node import WatchedNode, moment


def control_of(node: WatchedNode, saying: Saying, cell_ns: int) -> CellControl:
    """What may be said of the cell from here, and what holds of it."""
    said, state = saying.speaker(), node.state
    first = 0 if said is None else soonest(said)
    tip = node.history.tip
    commanded = None if state is None else state.administration.modes.get(EVERYBODY)
    return CellControl(
        operator=saying.why_not(Role.OPERATOR, SUBJECT),
        dso=saying.why_not(Role.DSO, "limits and requests"),
        members=saying.why_no_members(),
        first_interval=first,
        first_start=node.start_of(first),
        interval_s=0 if state is None else state.rules.interval_s,
        tariffs=[] if state is None else _tariffs(node, state, node.interval_at(cell_ns)),
        limits=[] if state is None else _limits(node, state, node.interval_at(cell_ns)),
        requests=[] if state is None else _requests(state, cell_ns),
        branches=[] if state is None else [branch.name for branch in state.rules.branches],
        services=[] if said is None else requested_services(said),
        commanded=None if commanded is None else commanded.action.name.lower().replace("_", "-"),
        changes=[]
        if tip is None
        else [change_text(each.numbered.change, tip.membership) for each in tip.membership.pending],
        waiting=saying.waiting(),
    )


def access_of(node: WatchedNode) -> list[DeviceAccess]:
    """What the cell has agreed of each device of this node."""
    state, member = node.state, node.member
    if state is None or member is None:
        return []
    found = []
    for table in node.config.site.ders:
        name = str(table.get("name", ""))
        held = state.administration.access_to(member.id, device_key(member.id, name))
        found.append(
            DeviceAccess(
                name=name,
                kind=str(table.get("kind", "")),
                priority=None if held.priority is None else PRIORITIES[held.priority],
                operator=bool(held.rights & Right.OPERATOR),
                dso=bool(held.rights & Right.DSO),
            )
        )
    return found


def _tariffs(node: WatchedNode, state: CellState, running: int) -> list[PlannedTariff]:
    """The tariff that holds now and those that follow."""
    later = {step.from_interval: step for step in (*state.rules.tariff, *state.tariffs)}
    steps = [
        state.rules.tariff_at(running, state.tariffs),
        *(later[first] for first in sorted(later) if first > running),
    ]
    return [_tariff(node, step) for step in steps]


def _tariff(node: WatchedNode, step: TariffStep) -> PlannedTariff:
    return PlannedTariff(
        from_interval=step.from_interval,
        start=node.start_of(step.from_interval),
        import_price=step.import_price,
        export_price=step.export_price,
    )


def _limits(node: WatchedNode, state: CellState, running: int) -> list[PlannedLimit]:
    return [
        PlannedLimit(
            id=None if each.id is None else each.id.hex(),
            branch=state.rules.branches[each.limit.branch].name,
            first=each.limit.first,
            last=each.limit.last,
            start=node.start_of(each.limit.first),
            limit_w=each.limit.limit_mw / MW_PER_W,
        )
        for each in state.limits
        if each.limit.last >= running
    ]


def _requests(state: CellState, cell_ns: int) -> list[ActingRequest]:
    return [
        ActingRequest(
            id=each.id.hex(),
            service=each.request.name.decode(),
            power_w=each.request.power_mw / MW_PER_W,
            branch=None if each.request.branch is None else state.rules.branches[each.request.branch].name,
            start=moment(each.request.start_ns),
            end=moment(each.end_ns),
        )
        for each in state.services.requests
        if each.end_ns > cell_ns
    ]
