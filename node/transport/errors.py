"""What can go wrong when talking to other members, by whose fault it is."""

# ruff: noqa: N818 - `except RequestFailed` reads better than `except RequestFailedError`.


class TransportError(Exception):
    """Anything the transport raises on purpose."""


class RequestFailed(TransportError):
    """The peer's fault or the network's: no reply came. The reason is for logs, not for decisions."""

    def __init__(self, peer: bytes, reason: str) -> None:
        super().__init__(f"request to {peer.hex()[:12]} failed: {reason}")
        self.peer = peer
        self.reason = reason


class RequestRefused(TransportError):
    """Raised by a request handler that will not answer; the asking peer sees RequestFailed."""


class MessageTooLarge(TransportError):
    """Our own fault: a message above the limit was handed to the transport; nothing was sent."""

    def __init__(self, kind: str, size: int, limit: int) -> None:
        super().__init__(f"{kind} of {size} bytes is above the limit of {limit} bytes")
        self.kind = kind
        self.size = size
        self.limit = limit


class UnsupportedLibrary(TransportError):
    """The installation's fault: the hardening is written for one exact version of the library."""


class AddressInUse(TransportError):
    """The operator's fault: another process listens on our address."""
