"""Branch meters: silence is charged what the branch shows, corrections lead back, mismatches are named."""

from typing import Any

from cell_histories import RELAXED
from hypothesis import given, settings
from hypothesis import strategies as st

from market.cell_state import member_account
from market.cross_check import counted, mismatches
from market.outcomes import Refusal
from market.payloads import Quality, Reading
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep

IDS = tuple(bytes([index]) * 32 for index in range(5))
RULES = CellRules(
    interval_s=3600,
    gate_lead_s=60,
    currency="EUR",
    branches=(BranchRule("root"), BranchRule("north", 0), BranchRule("south", 0), BranchRule("deep", 1)),
    grid=GridRule(),
    tariff=(TariffStep(0, 300, 40),),
    members=tuple(
        MemberRule(member, branch, 10**9, 10**9 * (1 + branch), 0)
        for member, branch in zip(IDS, (1, 2, 3, 3, 0), strict=True)
    ),
)
readings = st.fixed_dictionaries(
    {
        member: st.builds(Reading, st.integers(0, 10**7), st.integers(0, 10**7), st.sampled_from(Quality))
        for member in IDS
    }
)
meters = st.dictionaries(
    st.integers(0, 3), st.builds(Reading, st.integers(0, 10**7), st.integers(0, 10**7)), max_size=4
)
DEEP = (IDS[2], IDS[3])


@given(readings, meters)
def test_measured_readings_stay_and_estimates_make_up_the_innermost_branch(
    said: dict[bytes, Reading], metered: dict[int, Reading]
) -> None:
    fitted = counted(RULES, said, metered)
    for member, reading in said.items():
        if reading.quality is Quality.MEASURED:
            assert fitted[member] == reading
        assert fitted[member].quality is reading.quality
    if 3 in metered and any(said[member].quality is Quality.ESTIMATED for member in DEEP):
        assert sum(fitted[member].net for member in DEEP) == metered[3].net
    if not metered:
        assert fitted == said


@given(readings, meters)
def test_fitting_twice_is_fitting_once_and_leaves_no_mismatch_where_the_only_missing_one_is(
    said: dict[bytes, Reading], metered: dict[int, Reading]
) -> None:
    fitted = counted(RULES, said, metered)
    assert counted(RULES, said, metered) == fitted
    for mismatch in mismatches(RULES, 7, fitted, metered):
        assert mismatch.members
        assert mismatch.metered != mismatch.summed
    if metered.keys() == {0} and Quality.ESTIMATED in {reading.quality for reading in said.values()}:
        assert not mismatches(RULES, 7, fitted, metered)


def test_a_mismatch_concerns_those_below_whose_own_meter_does_not_clear_them() -> None:
    said = dict.fromkeys(IDS, Reading(0, 10**6))
    metered = {0: Reading(0, 8 * 10**6), 3: Reading(0, 2 * 10**6)}
    (mismatch,) = mismatches(RULES, 7, said, metered)
    assert (mismatch.branch, mismatch.metered, mismatch.summed) == (0, -8 * 10**6, -5 * 10**6)
    assert set(mismatch.members) == set(IDS) - set(DEEP)
    inner = mismatches(RULES, 7, said, {**metered, 3: Reading(0, 5 * 10**6)})
    assert [(each.branch, set(each.members)) for each in inner] == [(0, set(IDS)), (3, set(DEEP))]


def test_meters_that_agree_within_their_accuracy_are_no_mismatch() -> None:
    said = dict.fromkeys(IDS, Reading(0, 10**6))
    assert not mismatches(RULES, 7, said, {0: Reading(0, 5_100_000)})
    assert mismatches(RULES, 7, said, {0: Reading(0, 5_300_000)})


def moved(world: Any, interval: int = 100) -> dict[bytes, int]:
    """What every account got for an interval, all corrections included."""
    sums: dict[bytes, int] = {}
    for outcomes in world.outcomes:
        for posted in outcomes.postings:
            for posting in posted.postings if posted.reference == interval else ():
                sums[posting.account] = sums.get(posting.account, 0) + posting.amount
    return {account: amount for account, amount in sums.items() if amount}


def settle(world: Any, *entries: Any) -> Any:
    """Three blocks, the last with these entries about interval 100, and two more, after which it is settled."""
    world.block()
    world.block()
    outcomes = [world.block(*entries), world.block(), world.block()]
    return next(
        settlement for block in outcomes for settlement in block.settlements if settlement.interval == 100
    )


def test_a_silent_member_is_charged_what_its_branch_shows(world: Any) -> None:
    """Members 0 and 3 are at the substation, 1 north, 2 south."""
    said = [world.reading(member, 100, net) for member, net in ((0, -100), (1, -200), (3, 50))]
    settlement = settle(world, *said, world.meter(0, 100, -850))
    silent = next(line for line in settlement.lines if line.member == world.ids[2])
    assert (silent.metered, silent.estimated) == (-600, True)
    assert world.balance(2) == -600 * 300
    assert settlement.mismatches == ()


def test_a_branch_meter_that_comes_late_corrects_the_estimates(world: Any) -> None:
    said = [world.reading(member, 100, net) for member, net in ((0, -100), (1, -200), (3, 50))]
    settle(world, *said)
    silent = member_account(world.ids[2])
    assert silent not in moved(world)
    settlements = world.block(world.meter(2, 100, -600)).settlements
    (corrected,) = [settlement for settlement in settlements if settlement.interval == 100]
    assert corrected.correction
    assert [line.member for line in corrected.lines] == [world.ids[2]]
    assert moved(world)[silent] == -600 * 300
    world.block(world.reading(2, 100, -580))
    assert moved(world)[silent] == -580 * 300


def test_a_mismatch_is_an_outcome_with_the_members_it_may_concern(world: Any) -> None:
    said = [world.reading(member, 100, -100) for member in range(4)]
    settlement = settle(world, *said, world.meter(1, 100, -90_000), world.meter(2, 100, -100))
    (mismatch,) = settlement.mismatches
    assert (mismatch.branch, mismatch.members) == (1, (world.ids[1],))
    (settled,) = [outcomes for outcomes in world.outcomes if outcomes.settlements]
    assert any(key.startswith(b"mismatch/") for key, _ in settled.leaves())


def test_only_the_dso_meters_branches_and_only_what_is_over(world: Any) -> None:
    for _ in range(3):
        world.block()
    entries = [
        world.meter(1, 100, 5, member=0),
        world.meter(9, 100, 5),
        world.meter(1, 103, 5),
        world.meter(1, 100, 5),
    ]
    again = world.meter(1, 100, 5)
    refused = {row.entry_id: row.refusal for row in world.block(*entries, again).rejected}
    assert refused == {
        entries[0][1].id: Refusal.NOT_ENTITLED,
        entries[1][1].id: Refusal.MALFORMED,
        entries[2][1].id: Refusal.NOT_DELIVERED,
        again[1].id: Refusal.NOT_BETTER,
    }
    for _ in range(8):
        world.block()
    (late,) = world.block(world.meter(1, 100, 6)).rejected
    assert late.refusal is Refusal.WINDOW_CLOSED


nets = st.integers(-1000, 1000)


@settings(RELAXED, max_examples=15)
@given(
    st.lists(nets, min_size=4, max_size=4), st.lists(nets, min_size=2, max_size=2), nets, st.integers(0, 3)
)
def test_a_correction_and_back_leaves_everybody_as_before(
    cell_world: Any, first: list[int], others: list[int], branch_net: int, silent: int
) -> None:
    world = cell_world()
    said = [world.reading(member, 100, first[member]) for member in range(4) if member != silent]
    settle(world, *said, world.meter(0, 100, branch_net))
    before = moved(world)
    records = world.state.records[100]
    member = (silent + 1) % 4
    world.block(world.reading(member, 100, others[0]), world.meter(0, 100, others[1]))
    world.block(world.reading(member, 100, first[member]), world.meter(0, 100, branch_net))
    assert moved(world) == before
    assert world.state.records[100] == records
