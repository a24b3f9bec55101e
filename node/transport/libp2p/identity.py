"""One key, two names: a member's 32-byte ed25519 public key and its libp2p peer id."""

from libp2p.peer.id import ID

from node.transport.errors import TransportError

_ED25519_IDENTITY = bytes.fromhex("002408011220")
"""multihash `identity`, 36 bytes, protobuf key type ed25519, 32 bytes."""


class NotAMemberKeyError(TransportError):
    """The peer's fault: its identity is not an ed25519 key."""


def peer_id_of(public_key: bytes) -> ID:
    """The peer id that contains this public key."""
    return ID(_ED25519_IDENTITY + public_key)


def public_key_of(peer_id: bytes) -> bytes:
    """The public key inside the bytes of a peer id. Raises NotAMemberKeyError."""
    if len(peer_id) != 38 or not peer_id.startswith(_ED25519_IDENTITY):
        raise NotAMemberKeyError(f"peer id {peer_id[:48].hex()} is not an ed25519 key")
    return peer_id[6:]
