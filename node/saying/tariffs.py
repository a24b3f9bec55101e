"""Shell: the operator's tariff, left for its node to say."""

from ledger.records.genesis import Role
from market.errors import InvalidRules, MalformedPayload
from market.payloads import Kind, encode_tariff
from market.rules import TariffStep
from market.units import price_from_text, price_text
from node.errors import InputRefusedError
from node.saying.speaking import Speaker

SUBJECT = "tariffs and money"


def say_tariff(said: Speaker, import_price: str, export_price: str, from_interval: int) -> str:
    """Set the supplier's prices, currency per kWh, from an interval on; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.OPERATOR, SUBJECT)
    first = soonest(said)
    if from_interval < first:
        raise InputRefusedError(
            f"--from-interval: {from_interval} is too late; the first possible is {first}"
        )
    try:
        step = TariffStep(from_interval, price_from_text(import_price), price_from_text(export_price))
        payload = encode_tariff(step)
    except (InvalidRules, MalformedPayload) as error:
        raise InputRefusedError(str(error)) from error
    said.leave(Kind.TARIFF, from_interval, payload)
    prices = f"{price_text(step.import_price)} and {price_text(step.export_price)}"
    return f"From interval {from_interval} on: {prices} per kWh."


def soonest(said: Speaker) -> int:
    """The first interval that a tariff or the terms of a service may begin with."""
    return said.tip.last_interval + 2
