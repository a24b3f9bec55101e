"""Shell: money between members' accounts and the world outside, left for the operator's node to say."""

import time

from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import Deposit, Kind, encode_deposit
from market.units import DECIMALS, MONEY_DECIMALS, money_text, price_from_text
from node.errors import InputRefusedError
from node.saying.speaking import Speaker
from node.saying.tariffs import SUBJECT
from node.views.ledger_view import find_member


def say_deposit(said: Speaker, member: str, amount: str) -> str:
    """Book currency units to a member's account, out of it where negative; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.OPERATOR, SUBJECT)
    receiver = find_member(said.tip.membership, member, ever=True)
    money = price_from_text(amount) * 10 ** (MONEY_DECIMALS - DECIMALS)
    try:
        payload = encode_deposit(Deposit(receiver.id, money))
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    # The interval of a deposit is free: here it makes two equal deposits two, and one that is left twice one.
    said.leave(Kind.DEPOSIT, time.time_ns(), payload)
    return f"{money_text(money)} {said.rules.currency} for {receiver.name.decode()}."
