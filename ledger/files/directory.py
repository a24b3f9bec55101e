"""The names of a node's files inside its data directory.

One directory is one identity: a daemon holds the lock file while it runs, and `wattswarm ledger verify` needs
nothing but these files.
"""

from typing import Final

GENESIS_FILE: Final = "genesis.cbor"
"""The encoded genesis of the cell; its hash is the cell id."""

LEDGER_FILE: Final = "ledger.sqlite"
"""Entries, blocks, certificates, votes and evidence."""

GUARD_FILE: Final = "guard"
"""The sign guard: what this member signed last. Never restored from a backup."""

AGREEMENT_LOG_FILE: Final = "agreement.wal"
"""The write-ahead log of the height being agreed on."""

IDENTITY_KEY_FILE: Final = "identity.key"
"""The feed key, which is also the network identity."""

CONSENSUS_KEY_FILE: Final = "consensus.key"
"""The key a validator votes with."""

LOCK_FILE: Final = "lock"
"""Held exclusively by the daemon that owns the directory."""

WITNESS_FILE: Final = "witness"
"""What this node cosigned of neighbouring cells. Never restored from a backup."""

COSIGNATURES_FILE: Final = "cosignatures"
"""The newest cosignature of this cell's log by each of its witnesses."""
