"""The checker: does a certificate prove a clearing of these orders on this feeder? It knows no clearing.

It works in time linear in orders, branches and trades, but for putting the orders in order of id, and shares
no code with what made the certificate. It checks, in this order: orders and feeder are those named; no order
is overfilled; energy is balanced on every branch and within its limit; the money follows from the prices;
nobody trades at a loss; money and totals add up; and what the mechanism promises. For `uniform` and
`pay-as-bid` that is the optimum: the keys are a solution of the dual program, and the welfare of the fills
less the branches' fees equals its value, so by weak duality no plan has more. It must be so in keys, which
place members before the grid, and in prices.

Energies are mWh (flows positive towards the parent), prices µ/kWh, money pico-currency.
"""

from collections.abc import Iterable, Mapping, Sequence

from market.certificates.certificate import Certificate, CertifiedTrade, feeder_hash, orders_hash
from market.certificates.check_losses import (
    check_lossy_flows,
    check_supported,
    crossing,
    most_kept_short,
)
from market.certificates.check_mechanisms import check_continuous, check_mcafee, check_pay_as_bid, require
from market.feeder import Feeder, Grid
from market.mechanisms.names import Mechanism
from market.orders import Order, OrderId, Side

OPTIMAL = (Mechanism.UNIFORM, Mechanism.PAY_AS_BID)
"""The mechanisms whose fills have the greatest welfare, with a supporting price."""


def check(certificate: Certificate, orders: Sequence[Order], feeder: Feeder | None = None) -> None:
    """Raise CertificateError naming the first law that does not hold.

    `orders` have distinct ids of one type and are in order of arrival (it matters to `continuous` only);
    `feeder` None is one place.
    """
    uniform = certificate.mechanism is Mechanism.UNIFORM
    require(uniform or feeder is None, f"the mechanism {certificate.mechanism.value} knows no feeder")
    tree = Feeder.single() if feeder is None else feeder
    by_id = sorted(orders, key=lambda order: order.id)
    arranged = orders if certificate.mechanism is Mechanism.CONTINUOUS else by_id
    require(orders_hash(arranged) == certificate.orders_hash, "the orders are not those of the certificate")
    require(feeder_hash(tree) == certificate.feeder_hash, "the feeder is not that of the certificate")
    fills = _fills(certificate, {order.id: order for order in orders})
    lossy, net = tree.has_losses, _net(tree, by_id, fills)
    if lossy:
        check_lossy_flows(certificate, tree, net, _connection(tree))
    else:
        _check_flows(certificate, tree, net)
    branches = len(tree.branches)
    optimal = certificate.mechanism in OPTIMAL
    require(len(certificate.keys) == (branches if optimal else 0), "there is not one key for each branch")
    _check_money(certificate, arranged, fills)
    _check_loss(by_id, fills)
    _check_totals(certificate, tree, by_id, fills)
    if lossy:
        check_supported(certificate, tree, by_id, fills, _connection(tree))
    elif optimal:
        check_optimal(certificate, tree, by_id, fills)


def _fills(certificate: Certificate, orders: Mapping[OrderId, Order]) -> dict[OrderId, tuple[int, int]]:
    """Energy and money by order id, each energy within its order."""
    previous: OrderId | None = None
    for fill in certificate.fills:
        order = orders.get(fill.order)
        if order is None:
            require(False, f"there is no order {fill.order!r}")
            break
        in_order = previous is None or previous < fill.order  # type: ignore[operator]
        require(in_order, f"the fill of order {fill.order!r} is out of order or there twice")
        require(
            0 < fill.energy <= order.quantity,
            f"order {fill.order!r} is filled with {fill.energy} mWh of {order.quantity}",
        )
        previous = fill.order
    return {fill.order: (fill.energy, fill.money) for fill in certificate.fills}


def _net(feeder: Feeder, orders: Iterable[Order], fills: Mapping[OrderId, tuple[int, int]]) -> list[int]:
    """What the orders of each branch inject."""
    net = [0] * len(feeder.branches)
    for order in orders:
        energy = fills.get(order.id, (0, 0))[0]
        net[order.branch] += energy if order.side is Side.SELL else -energy
    return net


def _check_flows(certificate: Certificate, feeder: Feeder, net: list[int]) -> None:
    """Each branch passes to its parent what is injected in and below it, within its limit."""
    flows = certificate.flows
    require(len(flows) == len(feeder.branches), "there is not one flow for each branch")
    for index in reversed(feeder.top_down):
        branch = feeder.branches[index]
        named = f"branch {branch.name!r}"
        require(
            flows[index] == net[index], f"the flow of {named} is {flows[index]} mWh, its fills {net[index]}"
        )
        if branch.parent is None:
            least, greatest = _connection(feeder)
            within = (least is None or -least <= net[index]) and (greatest is None or net[index] <= greatest)
            require(within, f"the flow of {named} to the grid is {net[index]} mWh, beyond the connection")
        else:
            require(
                branch.limit is None or abs(net[index]) <= branch.limit,
                f"the flow of {named} is beyond its limit",
            )
            net[branch.parent] += net[index]


def _connection(feeder: Feeder) -> tuple[int | None, int | None]:
    """Greatest import and export, None for unlimited; nothing without a grid."""
    if feeder.grid is None:
        return 0, 0
    own = feeder.branches[feeder.root].limit
    return _least(feeder.grid.import_limit, own), _least(feeder.grid.export_limit, own)


def _least(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _check_money(
    certificate: Certificate, orders: Sequence[Order], fills: Mapping[OrderId, tuple[int, int]]
) -> None:
    """The money of each fill follows from its branch's key, from the trades, or from the reduced orders."""
    mechanism = certificate.mechanism
    trades = mechanism in (Mechanism.PAY_AS_BID, Mechanism.CONTINUOUS)
    require(trades or not certificate.trades, f"{mechanism.value} has no trades between two orders")
    require(
        mechanism is Mechanism.MCAFEE or certificate.reduced is None, f"{mechanism.value} reduces no trade"
    )
    if mechanism is Mechanism.UNIFORM:
        for order in orders:
            energy, money = fills.get(order.id, (0, 0))
            sign = 1 if order.side is Side.SELL else -1
            price = certificate.keys[order.branch] // 4
            require(money == sign * energy * price, f"order {order.id!r} does not have its branch's price")
    elif mechanism is Mechanism.MCAFEE:
        check_mcafee(certificate.reduced, orders, fills)
    else:
        _check_sums(certificate.trades, orders, fills)
        check_trades = check_pay_as_bid if mechanism is Mechanism.PAY_AS_BID else check_continuous
        check_trades(certificate.trades, orders, fills)


def _check_sums(
    trades: Sequence[CertifiedTrade], orders: Sequence[Order], fills: Mapping[OrderId, tuple[int, int]]
) -> None:
    """Trades are between a bid and an ask, and add up to the fills."""
    sides = {order.id: order.side for order in orders}
    sums = {order_id: [0, 0] for order_id in fills}
    for trade in trades:
        pair = f"the trade of {trade.buy!r} with {trade.sell!r}"
        require(
            sides.get(trade.buy) is Side.BUY and sides.get(trade.sell) is Side.SELL,
            f"{pair} is not a bid's with an ask",
        )
        require(trade.energy > 0, f"{pair} moves no energy")
        for order_id, price in ((trade.buy, -trade.price_buy), (trade.sell, trade.price_sell)):
            require(order_id in sums, f"order {order_id!r} trades but has no fill")
            sums[order_id][0] += trade.energy
            sums[order_id][1] += trade.energy * price
    for order_id, (energy, money) in fills.items():
        require(
            sums[order_id] == [energy, money], f"the trades of order {order_id!r} do not add up to its fill"
        )


def _check_loss(orders: Iterable[Order], fills: Mapping[OrderId, tuple[int, int]]) -> None:
    """Nobody pays more or gets less than its limit."""
    for order in orders:
        energy, money = fills.get(order.id, (0, 0))
        worth = order.price * energy
        gain = money + worth if order.side is Side.BUY else money - worth
        require(gain >= 0, f"order {order.id!r} trades at a loss of {-gain} pico-currency")


def _check_totals(
    certificate: Certificate,
    feeder: Feeder,
    orders: Iterable[Order],
    fills: Mapping[OrderId, tuple[int, int]],
) -> None:
    """Volume, welfare and what is kept are those of the fills, and nothing was paid in."""
    grid, root = feeder.grid, feeder.root
    root_flow = crossing(certificate.flows[root], feeder.branches[root].loss)
    supplier = 0
    if grid is not None:
        supplier = root_flow * (grid.export_price if root_flow > 0 else grid.import_price)
    volume, welfare = max(root_flow, 0), supplier
    for order in orders:
        energy = fills.get(order.id, (0, 0))[0]
        volume += energy if order.side is Side.BUY else 0
        welfare += order.price * (energy if order.side is Side.BUY else -energy)
    kept = supplier - sum(money for _, money in fills.values())
    for name, said, found in (
        ("volume", certificate.volume, volume),
        ("welfare", certificate.welfare, welfare),
        ("money kept", certificate.kept, kept),
    ):
        require(said == found, f"the {name} is said to be {said}, the fills make it {found}")
    short = most_kept_short(certificate, feeder) if feeder.has_losses else 0
    require(kept >= -short, f"the market pays in {-kept} pico-currency")


def check_optimal(
    certificate: Certificate,
    feeder: Feeder,
    orders: Sequence[Order],
    fills: Mapping[OrderId, tuple[int, int]],
) -> None:
    """The fills are worth, less fees, as much as the dual solution, in keys and in prices. Raises CertificateError."""
    root, flows = feeder.root, certificate.flows
    for unit, nodes, scale in (
        ("keys", list(certificate.keys), 4),
        ("prices", [key // 4 for key in certificate.keys], 1),
    ):
        primal = dual = 0
        for order in orders:
            sign = 1 if order.side is Side.BUY else -1
            value = order.price * scale + (3 if order.side is Side.BUY and scale == 4 else 0)
            primal += sign * value * fills.get(order.id, (0, 0))[0]
            dual += order.quantity * max(0, sign * (value - nodes[order.branch]))
        for index, branch in enumerate(feeder.branches):
            if branch.parent is not None:
                fee, difference = scale * branch.fee, abs(nodes[branch.parent] - nodes[index])
                primal -= fee * abs(flows[index])
                dual += _capacity(f"branch {branch.name!r}", branch.limit, max(0, difference - fee))
        if feeder.grid is not None:
            bid, ask = _supplier(feeder.grid, feeder.branches[root].fee, scale)
            least, greatest = _connection(feeder)
            flow = flows[root]
            top = bid if flow > 0 else ask if flow < 0 else min(max(nodes[root], bid), ask)
            dual += _capacity("the grid connection", greatest, max(0, top - nodes[root]))
            dual += _capacity("the grid connection", least, max(0, nodes[root] - top))
            primal += flow * (bid if flow > 0 else ask)
        require(
            primal == dual, f"the fills are worth {primal} in {unit}, the dual solution {dual}: not optimal"
        )


def _supplier(grid: Grid, fee: int, scale: int) -> tuple[int, int]:
    """The supplier's bid and ask, less and plus the fee of the connection, in prices or (`scale` 4) in keys."""
    bid, ask = scale * (grid.export_price - fee), scale * (grid.import_price + fee)
    return (bid + 1, ask + 2) if scale == 4 else (bid, ask)


def _capacity(what: str, limit: int | None, difference: int) -> int:
    """What the limit is worth where keys differ by so much on its two sides, beyond the fee."""
    require(limit is not None or not difference, f"{what} has no limit, but the keys on its sides differ")
    return (limit or 0) * difference
