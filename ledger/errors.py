"""What can go wrong in the ledger, sorted by whose fault it is.

A ``PeerError`` means that bytes from elsewhere break a rule: drop them, count them, blame the sender. A
``LocalError`` means that this node, its disk or its operator is at fault: stop and say so. ``MissingEntries``
is nobody's fault.
"""

# ruff: noqa: N818 - `except Malformed` reads better than `except MalformedError`.

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.heads import Head


class LedgerError(Exception):
    """Any error that the ledger declares."""


class PeerError(LedgerError):
    """Bytes from a peer break a rule; the sender or the signer is at fault, never this node."""


class Malformed(PeerError):
    """The bytes are not the canonical encoding of a value of the expected shape."""


class BadSignature(PeerError):
    """The signature does not cover these bytes under this key, cell and message type."""


class InvalidVote(PeerError):
    """A well-formed vote or proposal that its signer had no right to cast."""


class InvalidCertificate(PeerError):
    """A certificate that does not carry a quorum of valid precommits."""


class InvalidBlock(PeerError):
    """A block that breaks a rule of the chain; the reason names the rule."""


class InvalidEvidence(PeerError):
    """Evidence that does not prove equivocation by a member."""


class InvalidProof(PeerError):
    """A Merkle proof that does not lead from the claimed leaf or tree to the expected root."""


class LocalError(LedgerError):
    """This node, its files or its operator is at fault; no peer is to blame."""


class Corrupt(LocalError):
    """Stored data fail their own checks: rot, not a torn tail."""


class ReadOnly(LocalError):
    """This node must not write or sign now."""


class DoubleSign(LocalError):
    """Signing this would conflict with something already signed; refused before the signature exists."""


class GuardMissing(LocalError):
    """There is no sign guard, so what was signed before is unknown."""


class InvalidGenesis(LocalError):
    """The genesis cannot found a cell; the reason names the member or the field."""


class KeyFileError(LocalError):
    """The identity key cannot be created or loaded; the reason names the file and the remedy."""


class Unbalanced(LocalError):
    """A posting set that does not sum to zero: a bug in whoever wrote it."""


class MissingEntries(LedgerError):
    """Entries that are needed are not held here; ``wanted`` are the heads up to which to fetch."""

    def __init__(self, wanted: tuple[Head, ...]) -> None:
        super().__init__(f"entries of {len(wanted)} feed(s) are not held here")
        self.wanted = wanted
