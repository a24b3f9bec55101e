"""Two members, the first of them the only validator, and what they say."""

from nacl.signing import SigningKey

from ledger.heads import Head
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import member_id
from market.payloads import Kind

KEYS = [SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)]
CONSENSUS = SigningKey(bytes([3]) * 32)
IDS = [member_id(key.verify_key.encode()) for key in KEYS]


class Feeds:
    """The members' own feeds, growing."""

    def __init__(self, cell_id: bytes) -> None:
        self.cell_id = cell_id
        self.feeds: list[list[SignedEntry]] = [[], []]

    def say(self, member: int, kind: Kind, interval: int, payload: tuple[object, ...]) -> None:
        """Sign one more entry."""
        feed = self.feeds[member]
        previous = feed[-1].id if feed else None
        author = KEYS[member].verify_key.encode()
        entry = Entry(author, 0, len(feed), previous, kind, interval, 0, payload)  # type: ignore[arg-type]
        feed.append(author_entry(KEYS[member], self.cell_id, entry))

    def heads(self) -> tuple[Head, ...]:
        """The last entry of each."""
        return tuple(
            Head(IDS[member], 0, len(feed) - 1, feed[-1].id) for member, feed in enumerate(self.feeds) if feed
        )

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """The entries after one and up to another."""
        return self.feeds[IDS.index(member)][after + 1 : through + 1]
