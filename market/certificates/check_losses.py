"""The checker's part for feeders with losses: energy is lost as it must be, and prices support flows and fills.

It has the arithmetic of losses in its own words. What it establishes is what the stated bound on lost welfare
follows from (docs/losses.md): every fill is what its price calls for, and every flow is what the prices at its two
ends call for, to the unit of a price. Energies are mWh, prices µ/kWh, losses millionths.
"""

from collections.abc import Mapping, Sequence

from market.certificates.certificate import Certificate
from market.certificates.check_mechanisms import require
from market.feeder import Branch, Feeder
from market.orders import Order, OrderId, Side

WHOLE = 1_000_000

Limits = tuple[int | None, int | None]


def crossing(flow: int, loss: int) -> int:
    """What a flow is at the parent's end, rounded down."""
    return flow * (WHOLE - loss) // WHOLE if flow > 0 else flow * WHOLE // (WHOLE - loss)


def check_lossy_flows(certificate: Certificate, feeder: Feeder, net: list[int], connection: Limits) -> None:
    """Each branch passes on what is injected in it and arrives from below, but for a mWh of rounding per child."""
    flows = certificate.flows
    require(len(flows) == len(feeder.branches), "there is not one flow for each branch")
    children = [0] * len(flows)
    for index in reversed(feeder.top_down):
        branch, flow = feeder.branches[index], flows[index]
        named = f"branch {branch.name!r}"
        require(
            0 <= net[index] - flow <= children[index],
            f"the flow of {named} is {flow} mWh, its fills and branches make it {net[index]}",
        )
        least, greatest = connection if branch.parent is None else (branch.limit, branch.limit)
        within = (least is None or -least <= flow) and (greatest is None or flow <= greatest)
        require(within, f"the flow of {named} is beyond its limit")
        if branch.parent is not None:
            net[branch.parent] += crossing(flow, branch.loss)
            children[branch.parent] += 1


def check_supported(
    certificate: Certificate,
    feeder: Feeder,
    orders: Sequence[Order],
    fills: Mapping[OrderId, tuple[int, int]],
    connection: Limits,
) -> None:
    """Fills and flows are those that the prices call for. Raises CertificateError."""
    prices = [key // 4 for key in certificate.keys]
    for order in orders:
        gain = (order.price - prices[order.branch]) * (1 if order.side is Side.BUY else -1)
        energy = fills.get(order.id, (0, 0))[0]
        right = energy == order.quantity if gain > 0 else energy == 0 or gain == 0
        require(right, f"order {order.id!r} does not get what its branch's price calls for")
    for index, branch in enumerate(feeder.branches):
        flow = certificate.flows[index]
        if branch.parent is not None:
            above = prices[branch.parent]
            _check_branch(branch, prices[index], (above, above), flow, (branch.limit, branch.limit))
        elif feeder.grid is not None:
            supplier = (feeder.grid.export_price, feeder.grid.import_price)
            _check_branch(branch, prices[index], supplier, flow, connection)


def _check_branch(branch: Branch, price: int, above: tuple[int, int], flow: int, limits: Limits) -> None:
    """`above` is the price at the parent's end for what is injected, and for what is withdrawn."""
    least, greatest = limits
    left = WHOLE - branch.loss
    selling, buying = above
    sellers = (selling * left // WHOLE if selling > 0 else selling) - branch.fee
    buyers = (-(-buying * WHOLE // left) if buying > 0 else buying) + branch.fee
    # Several bids behind the branch can be worth the same at the parent; any of their prices will do.
    tied = -(-(buying + 1) * WHOLE // left) - 1 + branch.fee if buying >= 0 else buyers
    named = f"branch {branch.name!r}"
    require(price >= sellers or flow == greatest, f"{named} could inject more at its parent's price")
    require(
        price <= max(buyers, tied) or (-flow == (least or 0) and least is not None),
        f"{named} could withdraw more",
    )
    require(flow <= 0 or price <= sellers, f"{named} injects for less than its price")
    require(flow >= 0 or price >= buyers, f"{named} withdraws for more than its price")


def most_kept_short(certificate: Certificate, feeder: Feeder) -> int:
    """The most that the loss account may lose: per branch the price of a mWh at its parent, and of its loss."""
    total = 0
    for branch in feeder.branches:
        above = [certificate.keys[branch.parent] // 4] if branch.parent is not None else []
        if branch.parent is None and feeder.grid is not None:
            above = [feeder.grid.import_price, feeder.grid.export_price]
        total += max((-(-max(price, 0) * WHOLE // (WHOLE - branch.loss)) for price in above), default=0)
    return total
