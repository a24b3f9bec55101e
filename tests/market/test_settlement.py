"""Posting sets of the market: they sum to zero, and honesty pays."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from market.cell_state import (
    COMMUNITY,
    DSO,
    EXTERNAL,
    SUPPLIER,
    ClearedInterval,
    IntervalRecord,
    member_account,
)
from market.payloads import Reading
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep
from market.settlement import (
    bill,
    confirm,
    contract_money,
    deposit,
    difference,
    imbalance_money,
    imbalances,
    take_over,
)

FEES = (BranchRule("root", fee=3), BranchRule("north", 0), BranchRule("south", 0, fee=20))
MEMBERS = tuple(bytes([index]) * 32 for index in range(1, 6))
RULES = CellRules(
    interval_s=3600,
    gate_lead_s=60,
    currency="EUR",
    branches=(BranchRule("root"), BranchRule("north", 0), BranchRule("south", 0)),
    grid=GridRule(),
    tariff=(TariffStep(0, 300, 40),),
    members=tuple(MemberRule(member, index % 3, 10**9, 10**9, 0) for index, member in enumerate(MEMBERS)),
)
prices = st.integers(-100, 500)
tariffs = st.tuples(prices, prices).map(lambda pair: TariffStep(0, max(pair), min(pair)))
energies = st.integers(-1000, 1000)
meters = st.fixed_dictionaries(
    {member: st.builds(Reading, st.integers(0, 1000), st.integers(0, 1000)) for member in MEMBERS}
)
records = st.builds(
    lambda tariff, branch_prices, contracts: IntervalRecord(
        7,
        tariff,
        branch_prices,
        {
            member: energy
            for (index, member), energy in zip(enumerate(MEMBERS), contracts, strict=True)
            if energy and branch_prices[index % 3] is not None
        },
        {},
    ),
    tariffs,
    st.tuples(st.none() | prices, st.none() | prices, st.none() | prices),
    st.lists(energies, min_size=5, max_size=5),
)


@given(records, meters, st.sampled_from((RULES.branches, FEES)))
def test_a_settlement_sums_to_zero_and_leaves_the_community_a_margin(
    record: IntervalRecord, counted: dict[bytes, Reading], branches: tuple[BranchRule, ...]
) -> None:
    settled = imbalances(replace(record, readings=counted), replace(RULES, branches=branches))
    assert sum(settled.amounts().values()) == 0
    assert settled.community >= 0


@given(records, meters, meters)
def test_a_correction_leads_where_the_better_readings_would_have_led(
    record: IntervalRecord, first: dict[bytes, Reading], better: dict[bytes, Reading]
) -> None:
    old, new = (imbalances(replace(record, readings=readings), RULES) for readings in (first, better))
    moved = difference(new, old).amounts()
    assert sum(moved.values()) == 0
    posted = old.amounts()
    for account, amount in new.amounts().items():
        assert posted[account] + moved.get(account, 0) == amount


@given(records, meters)
def test_the_supplier_gets_the_bill_of_the_real_exchange_where_the_contracts_stood(
    record: IntervalRecord, counted: dict[bytes, Reading]
) -> None:
    held = -sum(record.contracts.values())
    real = -sum(reading.net for reading in counted.values())
    settled = imbalances(replace(record, readings=counted), RULES)
    assert bill(record.tariff, held) + settled.supplier == bill(record.tariff, real)


@given(tariffs, prices, energies, energies)
def test_no_position_earns_more_than_the_one_the_meter_will_show(
    tariff: TariffStep, price: int, metered: int, position: int
) -> None:
    money = contract_money(price, position) + imbalance_money(tariff, price, metered - position)
    assert money <= contract_money(price, metered)


@given(tariffs, prices, st.integers(0, 1000))
def test_selling_air_and_buying_nothing_to_use_never_earn(
    tariff: TariffStep, price: int, position: int
) -> None:
    sold = contract_money(price, position) + imbalance_money(tariff, price, -position)
    bought = contract_money(price, -position) + imbalance_money(tariff, price, position)
    assert sold <= 0
    assert bought <= 0


@given(tariffs, st.integers(0, 100), energies, st.integers(0, 100))
def test_between_feed_in_and_retail_trading_beats_the_bare_tariff(
    tariff: TariffStep, where: int, metered: int, share: int
) -> None:
    price = tariff.export_price + (tariff.import_price - tariff.export_price) * where // 100
    position = metered * share // 100 if metered > 0 else -(-metered * share // 100)
    money = contract_money(price, position) + imbalance_money(tariff, price, metered - position)
    assert money >= imbalance_money(tariff, None, metered)


@given(tariffs, energies)
def test_without_a_market_every_member_pays_the_tariff(tariff: TariffStep, metered: int) -> None:
    assert imbalance_money(tariff, None, metered) == -bill(tariff, -metered)


@given(tariffs, st.lists(energies, min_size=4, max_size=4), prices)
def test_a_confirmed_clearing_at_one_price_leaves_no_rent_but_the_grids(
    tariff: TariffStep, contracts: list[int], price: int
) -> None:
    exchange = -sum(contracts)
    cleared = ClearedInterval(
        3,
        tariff,
        (price,) * 3,
        dict(zip(MEMBERS, contracts, strict=False)),
        grid_import=max(exchange, 0),
        grid_export=max(-exchange, 0),
    )
    amounts = confirm(cleared, RULES)
    assert sum(amounts.values()) == 0
    assert amounts[SUPPLIER] == bill(tariff, exchange)
    at_grid = tariff.import_price if exchange > 0 else tariff.export_price
    assert amounts[DSO] == (price - at_grid) * exchange


def test_rent_is_price_difference_times_flow() -> None:
    cleared = ClearedInterval(
        3, RULES.tariff[0], (300, 300, 120), {MEMBERS[2]: 50, MEMBERS[0]: -70}, grid_import=20, grid_export=0
    )
    amounts = confirm(cleared, RULES)
    assert amounts == {
        member_account(MEMBERS[2]): 6000,
        member_account(MEMBERS[0]): -21000,
        SUPPLIER: 6000,
        DSO: 50 * (300 - 120),
    }


@given(prices, energies, energies)
def test_what_the_supplier_takes_over_and_deposits_sum_to_zero(
    price: int, position: int, amount: int
) -> None:
    assert sum(take_over(MEMBERS[0], price, position).values()) == 0
    assert deposit(MEMBERS[0], amount) == {member_account(MEMBERS[0]): amount, EXTERNAL: -amount}


def test_the_worked_example_of_a_short_and_a_long_member() -> None:
    record = IntervalRecord(7, RULES.tariff[0], (100, 100, 100), {MEMBERS[0]: 10, MEMBERS[1]: -10}, {})
    nothing = Reading(0, 0)
    counted = dict.fromkeys(MEMBERS, nothing) | {MEMBERS[0]: Reading(7, 0), MEMBERS[1]: Reading(0, 6)}
    settled = imbalances(replace(record, readings=counted), RULES)
    assert settled.members[MEMBERS[0]] == -3 * 300
    assert settled.members[MEMBERS[1]] == 4 * 40
    assert settled.supplier == -1 * 40
    assert settled.amounts()[COMMUNITY] == 3 * 300 - 4 * 40 + 40
