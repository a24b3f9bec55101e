"""Where the members are: what the configuration says of each, else what each has said of itself. Sans-IO.

An address only says where to dial; who answers there has to prove its key. Still a member must not make others knock
anywhere it likes: what it says of itself counts only where it is an address of a host, not a name to be looked up,
and loopback only among nodes that listen there themselves.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from node.constants import ADDRESSES_PER_MEMBER
from node.wire import Whereabouts, decode_whereabouts

_HOST_AND_PORT = re.compile(r"/ip([46])/([0-9a-f.:]+)/tcp/([1-9][0-9]{0,4})")
_EVERYWHERE = ("/ip4/0.0.0.0/", "/ip6/::/")


@dataclass(slots=True)
class AddressBook:
    """Addresses of members. `configured` is by name, `learned` by feed key; `listens` is where we listen ourselves."""

    configured: Mapping[str, tuple[str, ...]]
    listens: tuple[str, ...]
    learned: dict[bytes, Whereabouts] = field(default_factory=dict)

    def hear(self, author: bytes, data: bytes) -> bool:
        """What a member says of itself, which replaces what it said before; True if that is something else.

        Raises `Malformed`.
        """
        said = decode_whereabouts(data)
        before = self.learned.get(author)
        if before is not None and said.cell_ns <= before.cell_ns:
            return False
        kept = tuple(dict.fromkeys(each for each in said.addresses if self._may_be_dialled(each)))
        self.learned[author] = Whereabouts(said.cell_ns, kept)
        return kept != (() if before is None else before.addresses)

    def of(self, members: Iterable[tuple[bytes, str]]) -> dict[bytes, tuple[str, ...]]:
        """Where to dial each of these members (feed key and name); of others what was learned is forgotten."""
        places = {key: self._places(key, name) for key, name in members}
        for key in self.learned.keys() - places.keys():
            del self.learned[key]
        return places

    def own(self, name: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
        """Where others reach us: as chosen, else as the founder of the cell wrote, else where we listen.

        Names are left out, as nobody looks them up for us.
        """
        places = chosen or self.configured.get(name, ()) or self.listens
        sayable = (each for each in places if _HOST_AND_PORT.fullmatch(each))
        return tuple(each for each in sayable if not each.startswith(_EVERYWHERE))[:ADDRESSES_PER_MEMBER]

    def _places(self, key: bytes, name: str) -> tuple[str, ...]:
        """What was configured, alone: whoever wrote down where a member is does not want to be led elsewhere."""
        configured = self.configured.get(name, ())
        said = self.learned.get(key)
        return configured or (() if said is None else said.addresses)

    def _may_be_dialled(self, address: str) -> bool:
        found = _HOST_AND_PORT.fullmatch(address)
        if found is None or int(found[3]) > 65_535:
            return False
        try:
            host = ipaddress.ip_address(found[2])
        except ValueError:
            return False
        if str(host.version) != found[1] or str(host) != found[2]:
            return False
        if isinstance(host, ipaddress.IPv6Address) and (host.ipv4_mapped or host.sixtofour or host.teredo):
            return False
        if host.is_loopback:
            return any(each.startswith(("/ip4/127.", "/ip6/::1/")) for each in self.listens)
        return not (host.is_unspecified or host.is_multicast or host.is_link_local or host.is_reserved)
