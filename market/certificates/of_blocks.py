"""The certificate of a block's clearing, made again from the block's outcomes, and checked against what it carries."""

from dataclasses import replace

from market.certificates.certificate import Certificate
from market.certificates.certify import certify
from market.certificates.check import check
from market.certificates.check_mechanisms import require
from market.mechanisms.names import Mechanism
from market.mechanisms.run import run
from market.orders import Order
from market.outcomes import ClearingOutcome
from market.rules import CellRules


def check_block(rules: CellRules, clearing: ClearingOutcome) -> Certificate:
    """The certificate of an auction that a block held. Raises CertificateError unless it proves the block's fills.

    Its orders are the steps of the members' curves after the cuts, its feeder that of the interval with the
    tariff and the limits in force; both are in the block's outcomes.
    """
    steps = [(part, fill) for part in clearing.members for fill in part.fills]
    orders = [
        Order(place, place, part.branch, fill.side, fill.limit_price, fill.offered)
        for place, (part, fill) in enumerate(steps)
    ]
    feeder = rules.feeder_for(clearing.interval, clearing.limits, (clearing.tariff,))
    feeder = replace(feeder, grid=None) if clearing.emergency else feeder
    certificate = certify(run(Mechanism.UNIFORM, orders, feeder), feeder)
    check(certificate, orders, feeder)
    filled = [(place, fill.filled) for place, (_, fill) in enumerate(steps) if fill.filled]
    proven = [(fill.order, fill.energy) for fill in certificate.fills]
    require(filled == proven, "the block's fills are not those that the certificate proves")
    require(certificate.hash() == clearing.certificate, "the block carries the hash of another certificate")
    return certificate
