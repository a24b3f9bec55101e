"""A certificate as a JSON object, and back: integers in the units of the certificate, ids as texts, hashes in hex.

What is read must be exactly what could have been written: every key, nothing else, every type.
"""

import json
from collections.abc import Callable
from typing import TypeVar

from market.certificates.certificate import Certificate, CertifiedFill, CertifiedTrade
from market.errors import CertificateError
from market.mechanisms.names import Mechanism
from market.orders import OrderId

FORMAT = "wattswarm certificate 1"
"""The value of `format`; another number is another format."""

KEYS = (
    "format",
    "mechanism",
    "orders_hash",
    "feeder_hash",
    "keys",
    "fills",
    "flows",
    "trades",
    "reduced",
    "volume",
    "welfare",
    "kept",
    "hash",
)
INT_BOUND = 2**63  # of energies, prices and keys
MONEY_BOUND = 2**127  # of money: far above MAX_PRICE times MAX_LIMIT

Item = TypeVar("Item")


def certificate_json(certificate: Certificate) -> str:
    """The certificate as one JSON object, with its hash. Ids are texts or integers."""
    return json.dumps(
        {
            "format": FORMAT,
            "mechanism": certificate.mechanism.value,
            "orders_hash": certificate.orders_hash.hex(),
            "feeder_hash": certificate.feeder_hash.hex(),
            "keys": certificate.keys,
            "fills": [(fill.order, fill.energy, fill.money) for fill in certificate.fills],
            "flows": certificate.flows,
            "trades": [
                (trade.buy, trade.sell, trade.energy, trade.price_buy, trade.price_sell)
                for trade in certificate.trades
            ],
            "reduced": certificate.reduced,
            "volume": certificate.volume,
            "welfare": certificate.welfare,
            "kept": certificate.kept,
            "hash": certificate.hash().hex(),
        },
        ensure_ascii=False,
    )


def certificate_from_json(text: str) -> Certificate:
    """The certificate that the text holds, whose hash is the one it names. Raises CertificateError."""
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CertificateError(f"not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise CertificateError("must be one JSON object")
    for key in (*found, *KEYS):
        if key not in KEYS or key not in found:
            problem = "is missing" if key in KEYS else f"unknown key; the keys are {', '.join(KEYS)}"
            raise CertificateError(f"{key}: {problem}")
    if found["format"] != FORMAT:
        raise CertificateError(f"format: {found['format']!r} is not {FORMAT!r}")
    names = [mechanism.value for mechanism in Mechanism]
    if found["mechanism"] not in names:
        raise CertificateError(f"mechanism: {found['mechanism']!r} is none of {', '.join(names)}")
    reduced = found["reduced"]
    certificate = Certificate(
        mechanism=Mechanism(found["mechanism"]),
        orders_hash=_hash("orders_hash", found["orders_hash"]),
        feeder_hash=_hash("feeder_hash", found["feeder_hash"]),
        keys=_each("keys", found["keys"], _integer),
        fills=_each("fills", found["fills"], _fill),
        flows=_each("flows", found["flows"], _integer),
        trades=_each("trades", found["trades"], _trade),
        reduced=None if reduced is None else _pair("reduced", reduced),
        volume=_integer("volume", found["volume"]),
        welfare=_integer("welfare", found["welfare"], MONEY_BOUND),
        kept=_integer("kept", found["kept"], MONEY_BOUND),
    )
    if certificate.hash() != _hash("hash", found["hash"]):
        raise CertificateError("hash: it is not the hash of the rest; something was changed")
    return certificate


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _each(place: str, value: object, read: Callable[[str, object], Item]) -> tuple[Item, ...]:
    if not isinstance(value, list):
        raise CertificateError(f"{place}: must be a list")
    return tuple(read(f"{place}[{index}]", item) for index, item in enumerate(value))


def _integer(place: str, value: object, bound: int = INT_BOUND) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
        raise CertificateError(f"{place}: must be an integer of less than {bound.bit_length()} bits")
    return value


def _hash(place: str, value: object) -> bytes:
    try:
        digest = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise CertificateError(f"{place}: must be 64 hexadecimal digits")
    return digest


def _id(place: str, value: object) -> OrderId:
    if not isinstance(value, str):
        raise CertificateError(f"{place}: an order's id must be a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CertificateError(f"{place}: an order's id must be Unicode text") from error
    return value


def _row(place: str, value: object, names: str) -> list[object]:
    if not isinstance(value, list) or len(value) != len(names.split(", ")):
        raise CertificateError(f"{place}: must be [{names}]")
    return value


def _fill(place: str, value: object) -> CertifiedFill:
    order, energy, money = _row(place, value, "order id, energy, money")
    return CertifiedFill(_id(place, order), _integer(place, energy), _integer(place, money, MONEY_BOUND))


def _trade(place: str, value: object) -> CertifiedTrade:
    buy, sell, *numbers = _row(
        place, value, "bid's id, ask's id, energy, price for the bid, price for the ask"
    )
    energy, price_buy, price_sell = (_integer(place, number) for number in numbers)
    return CertifiedTrade(_id(place, buy), _id(place, sell), energy, price_buy, price_sell)


def _pair(place: str, value: object) -> tuple[OrderId, OrderId]:
    buy, sell = _row(place, value, "bid's id, ask's id")
    return _id(place, buy), _id(place, sell)
