"""From the founding validators to those of any height: the headers by which they changed, and nothing else.

Every header names the validators of its own height and of the next. So whoever knows the validators of one
height needs only the certified headers whose next validators are others: each is decided by the set that it
ends and names the set that follows. A cell whose validators never changed has an empty chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.chain.proofs import verify_header
from ledger.encoding import Value
from ledger.errors import InvalidBlock, InvalidCertificate, InvalidProof, Malformed
from ledger.limits import KEY_BYTES
from ledger.membership.members import Membership
from ledger.records.blocks import Header, decode_header
from ledger.records.genesis import Genesis
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate


@dataclass(frozen=True, slots=True)
class CertifiedHeader:
    """A header and what decided it; nothing is verified before `Trust.check`."""

    header: Header
    certificate: Certificate

    def value(self) -> tuple[Value, ...]:
        """Its two byte strings, for a message that carries it."""
        return (self.header.body, self.certificate.encode())


@dataclass(frozen=True, slots=True)
class EpochLink:
    """The last header that a set of validators decides, with the keys of the set it names as the next."""

    last: CertifiedHeader
    next_keys: tuple[bytes, ...]

    @property
    def header(self) -> Header:
        """The last header of the epoch."""
        return self.last.header

    @property
    def following(self) -> ValidatorSet:
        """The validators of the height after it. Raises ValueError for keys that are no set: `Trust.after` refuses."""
        return ValidatorSet(self.next_keys)

    def value(self) -> tuple[Value, ...]:
        """Its three parts, for a message that carries it."""
        return (*self.last.value(), self.next_keys)


@dataclass(frozen=True, slots=True)
class Trust:
    """The validators that decide from `height` on, until a header that they certify names others."""

    height: int
    validators: ValidatorSet

    @staticmethod
    def founding(genesis: Genesis) -> "Trust":
        """The validators of block 1, which is all that a genesis vouches for."""
        return Trust(1, Membership.founding(genesis).validators())

    def after(self, link: EpochLink, cell_id: bytes) -> "Trust":
        """The trust after one change of validators. Raises `InvalidProof`."""
        self.check(link.last, cell_id)
        header = link.last.header
        if header.next_validators_hash == header.validators_hash:
            raise InvalidProof(f"block {header.height} changes no validators")
        try:
            following = ValidatorSet(link.next_keys)
        except ValueError as fault:
            raise InvalidProof(f"the validators after block {header.height}: {fault}") from None
        if following.hash() != header.next_validators_hash:
            raise InvalidProof(f"the validators after block {header.height} are not those that it names")
        return Trust(header.height + 1, following)

    def check(self, certified: CertifiedHeader, cell_id: bytes) -> None:
        """Return if these validators decided the header. Raises `InvalidProof`."""
        header = certified.header
        if header.height < self.height:
            raise InvalidProof(
                f"block {header.height} is before block {self.height}, from which the validators are known"
            )
        try:
            verify_header(header, certified.certificate, cell_id, self.validators)
        except InvalidCertificate as fault:
            raise InvalidProof(f"block {header.height}: {fault}") from fault


def follow_links(founders: ValidatorSet, links: Iterable[EpochLink], cell_id: bytes) -> Trust:
    """The trust that follows from the validators of block 1. Raises `InvalidProof` where the chain breaks."""
    trust = Trust(1, founders)
    for link in links:
        trust = trust.after(link, cell_id)
    return trust


def changes_validators(header: Header) -> bool:
    """Whether the validators after this header are others: such a header is a link of the epoch chain."""
    return header.next_validators_hash != header.validators_hash


def certified_from(value: Value) -> CertifiedHeader:
    """What `CertifiedHeader.value` gave. Raises `Malformed`."""
    match value:
        case (bytes(header), bytes(certificate)):
            return CertifiedHeader(header_from(header), Certificate.decode(certificate))
    raise Malformed("a certified header is a header and a certificate")


def link_from(value: Value) -> EpochLink:
    """What `EpochLink.value` gave. Raises `Malformed`."""
    match value:
        case (bytes() as header, bytes() as certificate, tuple(keys)):
            known = tuple(key for key in keys if isinstance(key, bytes) and len(key) == KEY_BYTES)
            if len(known) == len(keys):
                return EpochLink(certified_from((header, certificate)), known)
    raise Malformed("a change of validators is a header, a certificate and keys of 32 bytes")


def header_from(body: bytes) -> Header:
    """A header from its bytes. Raises `Malformed` alone."""
    try:
        return decode_header(body)
    except InvalidBlock as fault:
        raise Malformed(str(fault)) from fault
