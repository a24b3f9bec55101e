"""Shell: what a dso buys of a service, left for its node to say. Powers W, prices currency per kW and hour, or kWh."""

from dataclasses import dataclass

from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import Kind
from market.services.payloads import ServiceTerms, encode_terms
from market.units import MW_PER_W, price_from_text, price_text
from node.errors import InputRefusedError
from node.saying.speaking import Speaker
from node.saying.tariffs import soonest


@dataclass(frozen=True, slots=True)
class Wanted:
    """Terms in words: powers W, capacity prices for a kW and an hour, energy prices for a kWh; 0 both ways: none."""

    up_w: float = 0.0
    down_w: float = 0.0
    up_price: str = "0"
    down_price: str = "0"
    up_energy_price: str = "0"
    down_energy_price: str = "0"


def say_terms(said: Speaker, name: str, wanted: Wanted, *, requested: bool, from_interval: int) -> str:
    """Buy so much of a service from an interval on; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "services")
    first = soonest(said)
    if from_interval < first:
        raise InputRefusedError(
            f"--from-interval: {from_interval} is too late; the first possible is {first}"
        )
    _refuse_another(said, name, requested)
    try:
        terms = ServiceTerms(
            name.encode(),
            requested,
            round(wanted.up_w * MW_PER_W),
            round(wanted.down_w * MW_PER_W),
            price_from_text(wanted.up_price),
            price_from_text(wanted.down_price),
            price_from_text(wanted.up_energy_price),
            price_from_text(wanted.down_energy_price),
        )
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    said.leave(Kind.SERVICE_TERMS, from_interval, encode_terms(terms))
    return (
        f"From interval {from_interval} on: {name} up to {wanted.up_w:g} W up and {wanted.down_w:g} W down, paid by"
        f" {said.member.name.decode()} at {price_text(terms.up_price)} and {price_text(terms.down_price)}"
        " per kW and hour."
    )


def _refuse_another(said: Speaker, name: str, requested: bool) -> None:
    """Raise `InputRefusedError` where a service of this name is another one."""
    steps = said.tip.state.services.terms.get(name.encode(), ())
    if any(step.payer != said.member.id for step in steps):
        raise InputRefusedError(f"{name}: another dso buys a service of this name; choose another name")
    if any(step.terms.requested != requested for step in steps):
        kind = "is" if steps[0].terms.requested else "is not"
        raise InputRefusedError(f"{name}: this service {kind} requested already, and stays so")
