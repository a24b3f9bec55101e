"""Certificates: what the mechanisms make is proven, and nothing else is; the checker knows no clearing."""

import ast
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import encode
from market.certificates.certificate import Certificate, CertifiedFill, CertifiedTrade
from market.certificates.certify import certify
from market.certificates.check import check
from market.errors import CertificateError
from market.feeder import Branch, Feeder, Grid
from market.mechanisms.names import Mechanism
from market.mechanisms.run import run
from market.orders import Order, Side

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 80
ROOT = Path(__file__).parents[2]
OTHERS = [mechanism for mechanism in Mechanism if mechanism is not Mechanism.UNIFORM]


def order(order_id: int, side: Side, price: int, quantity: int, branch: int = 0) -> Order:
    return Order(order_id, order_id, branch, side, price, quantity)


ORDERS = [
    order(1, Side.BUY, 40, 4),
    order(2, Side.SELL, 5, 3),
    order(3, Side.BUY, 30, 4),
    order(4, Side.SELL, 10, 4),
    order(5, Side.BUY, 20, 4),
    order(6, Side.SELL, 15, 6),
    order(7, Side.SELL, 50, 9),
]
FEEDER = Feeder((Branch("root"), Branch("sun", 0, 5), Branch("load", 0)), Grid(30, 4, 8, 8))
ON_TREE = [replace(given, branch=1 if given.side is Side.SELL else 2) for given in ORDERS]


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Order], Feeder]:
    limits = st.none() | st.integers(0, 30)
    count = draw(st.integers(1, 5))
    fees = st.integers(0, 6) if draw(st.booleans()) else st.just(0)
    branches = [
        Branch(f"b{index}", draw(st.integers(0, index - 1)) if index else None, draw(limits), draw(fees))
        for index in range(count)
    ]
    grid = None
    if draw(st.booleans()):
        feed_in = draw(st.integers(-5, 12))
        grid = Grid(feed_in + draw(st.integers(0, 8)), feed_in, draw(limits), draw(limits))
    row = st.tuples(st.sampled_from(Side), st.integers(-8, 20), st.integers(1, 25), st.integers(0, count - 1))
    drawn = draw(st.lists(row, max_size=20))
    return [order(index, *fields) for index, fields in enumerate(drawn)], Feeder(tuple(branches), grid)


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets())
def test_every_clearing_on_a_tree_is_proven(market: tuple[list[Order], Feeder]) -> None:
    orders, feeder = market
    certificate = certify(run(Mechanism.UNIFORM, orders, feeder), feeder)
    check(certificate, orders, feeder)
    assert len(certificate.hash()) == 32


@pytest.mark.parametrize("mechanism", OTHERS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(market=markets())
def test_every_result_at_one_place_is_proven(
    mechanism: Mechanism, market: tuple[list[Order], Feeder]
) -> None:
    orders = [replace(given, branch=0) for given in market[0]]
    result = run(mechanism, orders)
    certificate = certify(result)
    check(certificate, orders)
    assert certificate.welfare == result.welfare


@settings(max_examples=EXAMPLES, deadline=None)
@given(market=markets(), data=st.data())
def test_no_other_fills_on_the_tree_pass_with_another_welfare(
    market: tuple[list[Order], Feeder], data: st.DataObject
) -> None:
    orders, feeder = market
    certificate = certify(run(Mechanism.UNIFORM, orders, feeder), feeder)
    if not certificate.fills:
        assert certificate.volume == 0 or certificate.flows
        return
    at = data.draw(st.integers(0, len(certificate.fills) - 1))
    other = data.draw(st.integers(0, 26).filter(lambda energy: energy != certificate.fills[at].energy))
    fills = list(certificate.fills)
    fills[at] = replace(fills[at], energy=other, money=fills[at].money * other // fills[at].energy)
    with pytest.raises(CertificateError):
        check(replace(certificate, fills=tuple(fills)), orders, feeder)


def tree() -> Certificate:
    return certify(run(Mechanism.UNIFORM, ON_TREE, FEEDER), FEEDER)


def forged_fill(certificate: Certificate, at: int, **changes: int) -> Certificate:
    fills = list(certificate.fills)
    fills[at] = replace(fills[at], **changes)
    return replace(certificate, fills=tuple(fills))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda made: replace(made, orders_hash=bytes(32)), "the orders are not those"),
        (lambda made: replace(made, feeder_hash=bytes(32)), "the feeder is not that"),
        (lambda made: forged_fill(made, 0, energy=5), "order 1 is filled with 5 mWh of 4"),
        (lambda made: forged_fill(made, 0, energy=0), "order 1 is filled with 0"),
        (lambda made: forged_fill(made, 0, order=99), "there is no order 99"),
        (lambda made: replace(made, fills=made.fills[:1] + made.fills), "out of order or there twice"),
        (lambda made: forged_fill(made, 0, energy=3), "the flow of branch 'load'"),
        (lambda made: forged_fill(made, 0, money=-1), "order 1 does not have its branch's price"),
        (lambda made: replace(made, flows=made.flows[:2]), "one flow for each branch"),
        (lambda made: replace(made, keys=made.keys[:2]), "one key for each branch"),
        (lambda made: replace(made, volume=1), "the volume is said to be 1"),
        (lambda made: replace(made, welfare=1), "the welfare is said to be 1"),
        (lambda made: replace(made, kept=1), "the money kept is said to be 1"),
        (lambda made: replace(made, keys=(made.keys[0] + 4, *made.keys[1:])), "not optimal|no limit"),
        (lambda made: replace(made, reduced=(1, 2)), "uniform reduces no trade"),
        (lambda made: replace(made, trades=(CertifiedTrade(1, 2, 1, 1, 1),)), "uniform has no trades"),
    ],
)
def test_what_is_forged_on_the_tree_is_named(spoil: object, message: str) -> None:
    check(tree(), ON_TREE, FEEDER)
    assert callable(spoil)
    with pytest.raises(CertificateError, match=message):
        check(spoil(tree()), ON_TREE, FEEDER)


def test_a_plan_that_is_balanced_but_not_the_best_is_refused() -> None:
    orders = [order(1, Side.BUY, 30, 4), order(2, Side.SELL, 10, 2), order(3, Side.SELL, 20, 4)]
    best = certify(run(Mechanism.UNIFORM, orders))
    worse = replace(
        best,
        keys=(80,),
        fills=(CertifiedFill(1, 3, -60), CertifiedFill(2, 2, 40), CertifiedFill(3, 1, 20)),
        volume=3,
        welfare=90 - 20 - 20,
    )
    with pytest.raises(CertificateError, match="not optimal"):
        check(worse, orders)


def test_other_orders_than_those_cleared_are_noticed() -> None:
    for mechanism in Mechanism:
        certificate = certify(run(mechanism, ORDERS))
        changed = [*ORDERS[:-1], replace(ORDERS[-1], price=51)]
        with pytest.raises(CertificateError, match="the orders are not those"):
            check(certificate, changed)


def test_only_continuous_depends_on_the_order_of_arrival() -> None:
    for mechanism in Mechanism:
        certificate = certify(run(mechanism, ORDERS))
        if mechanism is Mechanism.CONTINUOUS:
            with pytest.raises(CertificateError, match="the orders are not those"):
                check(certificate, ORDERS[::-1])
        else:
            check(certificate, ORDERS[::-1])


@pytest.mark.parametrize(
    ("mechanism", "spoil", "message"),
    [
        (Mechanism.PAY_AS_BID, "trade price", "not at their midpoint"),
        (Mechanism.PAY_AS_BID, "no trades", "do not add up"),
        (Mechanism.CONTINUOUS, "trade price", "not at the price of the first"),
        (Mechanism.CONTINUOUS, "trades reversed", "later than one"),
        (Mechanism.MCAFEE, "reduced swapped", "not a bid and an ask"),
        (Mechanism.MCAFEE, "not reduced", "no reduced orders say"),
        (Mechanism.MCAFEE, "better reduced", "trades, but is not before"),
        (Mechanism.MCAFEE, "fills moved", "do not lose equally"),
    ],
)
def test_what_is_forged_at_one_place_is_named(mechanism: Mechanism, spoil: str, message: str) -> None:
    made = certify(run(mechanism, ORDERS))
    check(made, ORDERS)
    if spoil == "trade price":
        first = made.trades[0]
        dearer = replace(first, price_buy=first.price_buy + 1, price_sell=first.price_sell + 1)
        moved = dearer.energy
        fills = tuple(
            replace(
                fill,
                money=fill.money
                + (moved if fill.order == first.sell else -moved if fill.order == first.buy else 0),
            )
            for fill in made.fills
        )
        forged = replace(made, trades=(dearer, *made.trades[1:]), fills=fills)
    elif spoil == "fills moved":
        # Buyers 1 and 3 have 4 and 3 of 4 each; 4 and 3 are equal losses, 1 and 6 would overfill, so 4 - 2.
        sold = replace(ORDERS[3], quantity=1)
        orders = [*ORDERS[:3], sold, *ORDERS[4:]]
        made = certify(run(mechanism, orders))
        check(made, orders)
        energies = {1: 4, 3: 0, 2: 3, 4: 1}
        fills = tuple(
            replace(
                fill,
                energy=energies[int(str(fill.order))],
                money=fill.money // fill.energy * energies[int(str(fill.order))],
            )
            for fill in made.fills
            if energies[int(str(fill.order))]
        )
        with pytest.raises(CertificateError, match=message):
            check(replace(made, fills=fills), orders)
        return
    else:
        forged = {
            "no trades": lambda: replace(made, trades=()),
            "trades reversed": lambda: replace(made, trades=made.trades[::-1]),
            "reduced swapped": lambda: replace(made, reduced=(6, 5)),
            "not reduced": lambda: replace(made, reduced=None),
            "better reduced": lambda: replace(made, reduced=(3, 6)),
        }[spoil]()
    with pytest.raises(CertificateError, match=message):
        check(forged, ORDERS)


def test_a_certificate_that_says_nothing_was_traded_is_refused_where_something_could_be() -> None:
    for mechanism in Mechanism:
        made = certify(run(mechanism, ORDERS))
        nothing = replace(made, fills=(), trades=(), reduced=None, volume=0, welfare=0, kept=0)
        with pytest.raises(CertificateError, match=r"not optimal|several bids|left untraded"):
            check(nothing, ORDERS)


def test_the_hash_is_of_every_field() -> None:
    made = certify(run(Mechanism.PAY_AS_BID, ORDERS))
    changed = [
        replace(made, mechanism=Mechanism.CONTINUOUS),
        replace(made, orders_hash=bytes(32)),
        replace(made, feeder_hash=bytes(32)),
        replace(made, keys=(1,)),
        replace(made, fills=()),
        replace(made, flows=(1,)),
        replace(made, trades=()),
        replace(made, reduced=(1, 2)),
        replace(made, volume=1),
        replace(made, welfare=1),
        replace(made, kept=1),
    ]
    assert len({certificate.hash() for certificate in (made, *changed)}) == 1 + len(changed)


def test_the_checker_imports_no_clearing() -> None:
    seen: set[str] = set()
    waiting = ["market.certificates.check"]
    while waiting:
        module = waiting.pop()
        if module in seen or not module.startswith("market."):
            continue
        seen.add(module)
        source = ROOT / (module.replace(".", "/") + ".py")
        waiting += [
            node.module
            for node in ast.walk(ast.parse(source.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module
        ]
    assert "market.certificates.certificate" in seen
    assert not seen & {"market.clearing", "market.zones", "market.curves", "market.rationing"}
    assert not any(module.startswith("market.mechanisms.") for module in seen - {"market.mechanisms.names"})


def test_a_block_carries_the_hash_of_a_certificate_that_proves_its_clearing(world: Any) -> None:
    outcomes = world.block(
        world.order(0, 100, sells=[(50, 100), (60, 50)]),
        world.order(1, 100, buys=[(250, 80), (55, 30)]),
    )
    clearing = outcomes.clearing
    fills = [(part, fill) for part in clearing.members for fill in part.fills]
    orders = [
        Order(place, place, part.branch, fill.side, fill.limit_price, fill.offered)
        for place, (part, fill) in enumerate(fills)
    ]
    feeder = world.rules.feeder_for(100)
    certificate = certify(run(Mechanism.UNIFORM, orders, feeder), feeder)
    check(certificate, orders, feeder)
    assert [fill.filled for _, fill in fills if fill.filled] == [fill.energy for fill in certificate.fills]
    assert clearing.certificate == certificate.hash()
    assert dict(outcomes.leaves())[b"certificate"] == encode(certificate.hash())
