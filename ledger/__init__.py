"""Feeds, Merkle proofs, agreement, journal and storage: the ledger, which knows no energy."""
