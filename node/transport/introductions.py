"""Shell: tells the other members where this node is, and the transport where they are.

Gossip carries it, so that who is connected to one member learns of all, and its signature says whose words they are.
"""

from collections.abc import Callable, Iterable

import trio

from ledger.errors import PeerError
from node.constants import ADDRESSES, ADDRESSES_EVERY_S, ADDRESSES_SOON_S
from node.transport.address_book import AddressBook
from node.transport.interface import Gossip, Transport
from node.wire import Whereabouts, encode_whereabouts


class Introductions:
    """Between an address book and a transport."""

    def __init__(
        self,
        book: AddressBook,
        transport: Transport,
        own_addresses: tuple[str, ...],
        cell_ns: Callable[[], int],
    ) -> None:
        self._book = book
        self._transport = transport
        self._own_addresses = own_addresses
        self._cell_ns = cell_ns
        self._members: tuple[tuple[bytes, str], ...] = ()
        self._met = trio.Event()
        self.refused = 0
        """Messages that were no addresses."""

    def set_members(self, members: Iterable[tuple[bytes, str]]) -> None:
        """Exactly these feed keys, with the names of their members, may connect, wherever they are known to be."""
        self._members = tuple(members)
        self._transport.set_members(self._book.of(self._members))

    def hear(self, gossip: Gossip) -> None:
        """A member says where it is."""
        try:
            changed = self._book.hear(gossip.author, gossip.data)
        except PeerError:
            self.refused += 1
            return
        if changed:
            self.set_members(self._members)

    def met(self) -> None:
        """A member has come up; it may not know where we are."""
        self._met.set()

    async def run(self) -> None:
        """Say where we are, now and then, and soon after somebody came up, until cancelled."""
        while True:
            said = encode_whereabouts(Whereabouts(self._cell_ns(), self._own_addresses))
            await self._transport.publish(ADDRESSES, said)
            with trio.move_on_after(ADDRESSES_EVERY_S):
                await self._met.wait()
            await trio.sleep(ADDRESSES_SOON_S)
            self._met = trio.Event()
