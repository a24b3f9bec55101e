"""That a witness outside the cell has seen a header: its cosignature of a log, and the header's path in that log."""

from dataclasses import dataclass

from ledger.encoding import Value
from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.limits import KEY_BYTES
from ledger.merkle import verify_inclusion
from ledger.records.blocks import Header, header_id
from ledger.witnesses.messages import Cosignature, open_cosignature


@dataclass(frozen=True, slots=True)
class WitnessedHeader:
    """A cosignature by `signer` and the path from the header's id to the cosigned root."""

    signer: bytes
    envelope: bytes
    path: tuple[bytes, ...]

    def value(self) -> Value:
        """Its three parts, for a message that carries it."""
        return (self.signer, self.envelope, self.path)

    def check(self, header: Header, cell_id: bytes) -> Cosignature:
        """The cosignature, of a log that holds the header. Raises `InvalidProof`."""
        try:
            cosignature = open_cosignature(self.envelope, cell_id, self.signer)
            seen = cosignature.checkpoint
            verify_inclusion(header_id(header, cell_id), header.height - 1, seen.size, self.path, seen.root)
        except PeerError as fault:
            raise InvalidProof(f"witness {self.signer.hex()}: {fault}") from fault
        return cosignature


def witnessed_from(value: Value) -> WitnessedHeader:
    """What `WitnessedHeader.value` gave. Raises `Malformed`."""
    match value:
        case (bytes(signer), bytes(envelope), tuple(path)) if len(signer) == KEY_BYTES:
            nodes = tuple(node for node in path if isinstance(node, bytes))
            if len(nodes) == len(path):
                return WitnessedHeader(signer, envelope, nodes)
    raise Malformed("a witnessed header has a signer, a cosignature and a path")
