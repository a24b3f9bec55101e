"""The cell: its feeder with flows against limits, its members, its blocks."""

from dataclasses import fields

from ledger.chain.attendance import Attendance
from ledger.records.genesis import Role
from market.cell_state import CellState
from market.rules import BranchRule
from market.units import MW_PER_W
from node.views.membership_view import role_names
from node.web.answers import Block, BlockDetail, BranchState, Commit, Feeder, Member
from node.web.cell_history import KeptBlock
from node.web.watched_node import WatchedNode, moment


def feeder_of(node: WatchedNode, interval: int) -> Feeder:
    """The feeder with the flows of an interval, or of the last auction before it."""
    state, history = node.state, node.history
    if state is None:
        return Feeder(
            interval=None, start=None, import_limit_w=None, export_limit_w=None, grid_w=None, branches=[]
        )
    block = history.auction(interval)
    if block is None and history.blocks:
        block = min(history.blocks, key=lambda each: abs(each.clearing.interval - interval))
    clearing = None if block is None else block.clearing
    grid = state.rules.grid
    return Feeder(
        interval=None if clearing is None else clearing.interval,
        start=None if clearing is None else node.start_of(clearing.interval),
        import_limit_w=_watts(None if grid is None else grid.import_limit_mw),
        export_limit_w=_watts(None if grid is None else grid.export_limit_mw),
        grid_w=None if clearing is None else node.power_w(clearing.grid_export - clearing.grid_import),
        branches=[_branch(node, state, index, block) for index in state.rules.feeder_for(interval).top_down],
    )


def members_of(node: WatchedNode) -> list[Member]:
    """The members, by name."""
    tip = node.history.tip
    if tip is None:
        return []
    signed = node.history.attendance()
    found = []
    for member in tip.membership.members:
        name = member.name.decode()
        rule = tip.state.rules.member(member.id)
        mine = name == node.name
        up: bool | None = name in node.live.core.get("connected", ()) if node.live.connected else None
        capacity = node.live.core.get("capacities", {}).get(name, {})
        commits = signed.get(member.id, Attendance(0, 0))
        found.append(
            Member(
                name=name,
                id=member.id.hex(),
                roles=role_names(member.roles),
                branch=None if rule is None else tip.state.rules.branches[rule.branch].name,
                mine=mine,
                up=node.live.connected if mine else up,
                validator=bool(member.roles & Role.VALIDATOR),
                protocols=list(tip.membership.protocol.known_to(member.id)),
                frozen=member.frozen_at is not None,
                commits_signed=commits.signed if commits.of else None,
                commits=commits.of or None,
                headroom_up_w=capacity.get("up_w"),
                headroom_down_w=capacity.get("down_w"),
                state_of_charge=capacity.get("state_of_charge"),
            )
        )
    return sorted(found, key=lambda each: each.name)


def block_of(node: WatchedNode, block: KeptBlock) -> Block:
    """One block in short."""
    return Block(**_block(node, block))  # type: ignore[arg-type]


def block_detail_of(node: WatchedNode, block: KeptBlock) -> BlockDetail:
    """One block with its header and who signed it."""
    header = block.header
    values = {field.name: getattr(header, field.name) for field in fields(header)}
    return BlockDetail(
        **_block(node, block),  # type: ignore[arg-type]
        header={name: value.hex() for name, value in values.items() if isinstance(value, bytes)},
        certificate=[
            Commit(validator=name, signed=signature is not None)
            for name, signature in zip(_validators(node, block), block.certificate.signatures, strict=False)
        ],
    )


def _block(node: WatchedNode, block: KeptBlock) -> dict[str, object]:
    header, outcomes = block.header, block.outcomes
    validators = _validators(node, block)
    return {
        "height": header.height,
        "id": block.id.hex(),
        "first_interval": header.first_interval,
        "last_interval": header.last_interval,
        "time": moment(header.time_ns),
        "proposer": validators[header.proposer]
        if header.proposer < len(validators)
        else str(header.proposer),
        "round": block.certificate.round,
        "signers": sum(signature is not None for signature in block.certificate.signatures),
        "validators": len(block.certificate.signatures),
        "entries_of": sorted({node.history.name_of(head.member) for head in block.heads}),
        "volume": block.clearing.volume,
        "settled": [settlement.interval for settlement in outcomes.settlements],
        "refused": len(outcomes.rejected),
        "fate": node.history.fate(block),
    }


def _validators(node: WatchedNode, block: KeptBlock) -> list[str]:
    """The names of those who decided a block, by index."""
    tip = node.history.tip
    if tip is None:
        return []
    decided_by = tip.validators_at(block.header.height)
    if decided_by is None:
        return [f"validator {index}" for index in range(len(block.certificate.signatures))]
    owners = tip.membership.consensus_keys(ever=True)
    return [node.history.name_of(owners[key]) if key in owners else key.hex()[:8] for key in decided_by.keys]


def _branch(node: WatchedNode, state: CellState, index: int, block: KeptBlock | None) -> BranchState:
    rules = state.rules
    branch: BranchRule = rules.branches[index]
    clearing = None if block is None else block.clearing
    interval = None if clearing is None else clearing.interval
    limits = [branch.limit_mw] if branch.limit_mw is not None else []
    by_dso = [
        each.limit_mw
        for each in (() if clearing is None else clearing.limits)
        if each.branch == index and interval is not None and each.first <= interval <= each.last
    ]
    lowest = min((*limits, *by_dso), default=None)
    rule = node.rule
    return BranchState(
        name=branch.name,
        parent=None if branch.parent is None else rules.branches[branch.parent].name,
        limit_w=_watts(lowest),
        set_by_dso=bool(by_dso) and min(by_dso) == lowest,
        flow_w=None if clearing is None else node.power_w(clearing.flows[index]),
        price=None if clearing is None else clearing.prices[index],
        fee=branch.fee,
        members=sorted(node.history.name_of(each.member) for each in rules.members if each.branch == index),
        mine=rule is not None and rule.branch == index,
    )


def _watts(power_mw: int | None) -> float | None:
    return None if power_mw is None else power_mw / MW_PER_W
