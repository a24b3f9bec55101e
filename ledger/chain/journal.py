"""The journal: money moves between accounts in posting sets that sum to zero, exactly.

Amounts are integers in pico-currency, of any size. A positive amount credits an account and a negative one
debits it. Balances therefore always sum to zero: what members hold together is what the outside world (the
supplier, the bank) owes them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.encoding import big_int_bytes
from ledger.errors import Unbalanced


@dataclass(frozen=True, slots=True)
class Posting:
    """One account's part in a movement of money: ``amount`` in pico-currency, credit positive."""

    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class PostingSet:
    """One movement of money: ``reason`` says why in the application's tag, ``reference`` where it belongs.

    The reference is the interval or block height that the reason speaks about. Raises Unbalanced when the
    postings do not sum to zero.
    """

    reason: int
    reference: int
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        total = sum(posting.amount for posting in self.postings)
        if total:
            raise Unbalanced(f"reason {self.reason}, reference {self.reference}: the postings sum to {total}")


class Balances(Mapping[bytes, int]):
    """What every account holds, in pico-currency; immutable, and always zero in sum.

    An account that was never posted to holds zero and is not listed; one that returned to zero is not listed
    either, so balances depend on amounts alone and not on the path to them.
    """

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[bytes, int] | None = None) -> None:
        """Raises Unbalanced when the amounts do not sum to zero."""
        listed = {account: amount for account, amount in (amounts or {}).items() if amount}
        if total := sum(listed.values()):
            raise Unbalanced(f"balances sum to {total}, not to zero")
        self._amounts = listed

    def __getitem__(self, account: bytes) -> int:
        return self._amounts.get(account, 0)

    def __iter__(self) -> Iterator[bytes]:
        return iter(sorted(self._amounts))

    def __len__(self) -> int:
        return len(self._amounts)

    def __contains__(self, account: object) -> bool:
        return account in self._amounts

    def __hash__(self) -> int:
        return hash(tuple(self.leaves()))

    def __repr__(self) -> str:
        return f"Balances({dict(self)!r})"

    def post(self, sets: Iterable[PostingSet]) -> "Balances":
        """The balances after these movements; these here stay as they are."""
        amounts = dict(self._amounts)
        for posting_set in sets:
            for posting in posting_set.postings:
                amounts[posting.account] = amounts.get(posting.account, 0) + posting.amount
        return Balances(amounts)

    def leaves(self) -> tuple[tuple[bytes, bytes], ...]:
        """(account, amount as ``big_int_bytes``) of every account that holds something, sorted by account."""
        return tuple((account, big_int_bytes(amount)) for account, amount in sorted(self._amounts.items()))
