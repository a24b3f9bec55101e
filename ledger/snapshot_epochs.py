"""Epochs: from the founding validators to those of a later height, by certified headers alone.

A header commits to the validators of its own height and of the next. Whoever trusts the first set and sees a
header certified by it trusts the second, so only the headers at which the set changes are needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.blocks import Header, decode_header, header_id
from ledger.encoding import Value
from ledger.errors import InvalidCertificate, Malformed
from ledger.limits import KEY_BYTES
from ledger.validators import ValidatorSet
from ledger.votes import Certificate


@dataclass(frozen=True, slots=True)
class Epoch:
    """The last header of an epoch, with its certificate, and the validators of the height after it."""

    header: Header
    certificate: Certificate
    following: ValidatorSet

    def value(self) -> Value:
        """The epoch as it stands in a snapshot."""
        return (self.header.body, self.certificate.encode(), self.following.keys)


def follow_epochs(founders: ValidatorSet, cell_id: bytes, epochs: Iterable[Epoch]) -> ValidatorSet:
    """The validators that follow from the founding ones. Raises `InvalidCertificate` where the chain breaks."""
    trusted, height = founders, 0
    for epoch in epochs:
        header = epoch.header
        if header.height <= height:
            raise InvalidCertificate("epochs do not ascend by height")
        check_certified(header, epoch.certificate, cell_id, trusted)
        if header.next_validators_hash != epoch.following.hash():
            raise InvalidCertificate(f"header {header.height} names other validators for the next height")
        trusted, height = epoch.following, header.height
    return trusted


def check_certified(
    header: Header, certificate: Certificate, cell_id: bytes, validators: ValidatorSet
) -> None:
    """Return if these validators are those of the header's height and decided it. Raises `InvalidCertificate`."""
    if header.validators_hash != validators.hash():
        raise InvalidCertificate(f"header {header.height} is of another epoch's validators")
    if (certificate.height, certificate.block_id) != (header.height, header_id(header, cell_id)):
        raise InvalidCertificate("the certificate is for another header")
    certificate.check(cell_id, validators)


def epoch_from(value: Value) -> Epoch:
    """An epoch as it stands in a snapshot. Raises `Malformed` or `InvalidBlock`; nothing is verified."""
    match value:
        case (bytes(header), bytes(certificate), tuple(keys)):
            return Epoch(decode_header(header), Certificate.decode(certificate), validators_from(keys))
    raise Malformed("an epoch has a header, a certificate and validators")


def validators_from(value: Value) -> ValidatorSet:
    """A validator set from its keys. Raises `Malformed`."""
    if not isinstance(value, tuple):
        raise Malformed("validators are an array of keys")
    keys = tuple(key for key in value if isinstance(key, bytes) and len(key) == KEY_BYTES)
    if len(keys) != len(value):
        raise Malformed("a consensus key has 32 bytes")
    try:
        return ValidatorSet(keys)
    except ValueError as fault:
        raise Malformed(str(fault)) from fault
