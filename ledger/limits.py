"""Limits of the wire format and of what is held per member, each with its unit and its reason."""

KEY_BYTES = 32
"""An Ed25519 public key."""

ID_BYTES = 32
"""A SHA-256 digest."""

SIGNATURE_BYTES = 64
"""An Ed25519 signature."""

DEPTH = 8
"""Nested arrays. A curve in a payload in an entry needs four; eight leaves room and bounds the recursion."""

ENTRY_BYTES = 1024
"""An entry's envelope: a curve of 32 steps fits, and a million entries a day stay within 1 GB."""

VOTE_BYTES = 160
"""A vote's envelope: 64 bytes of signature, a block id, six small integers and the framing."""

PROPOSAL_BYTES = 256
"""A proposal's envelope. It names a block and does not carry it."""

BLOCK_BYTES = 256 * 1024
"""A block: a header, up to about 3,000 moved heads of 80 bytes, and the last certificate."""

SYNC_BYTES = 1024 * 1024
"""One reply of anti-entropy: large enough to catch up fast, small enough to hold one per peer in memory."""

EVIDENCE_BYTES = 2 * ENTRY_BYTES + 64
"""A proof of equivocation: two bodies with their signatures."""

GENESIS_BYTES = 1024 * 1024
"""A genesis: about 8,000 founding members and their market rules."""

NAME_BYTES = 64
"""A cell's or member's name, in UTF-8: one line of a table."""

REORDER_ENTRIES = 64
"""Entries of one member kept while an earlier one is missing: gossip reorders by few, sync brings more."""

HELD_ENTRIES = 4096
"""Entries of one member held while no block anchors them (4 MiB at most): two weeks at twelve an hour."""

REMEMBERED_ENTRIES = 16
"""Anchored entries of one member still held, so that late copies and forks are seen without the store."""

SNAPSHOT_PART_BYTES = 256 * 1024
"""A usual part of a snapshot. One leaf may be larger, and one of 8,000 members still fits a reply."""

SNAPSHOT_PARTS = 256
"""Parts of a snapshot: 64 MiB of state, thousands of members, and a bound for what a peer can make us hold."""

KEPT_EPOCHS = 64
"""Sets of validators that a node remembers, to find its peers' older votes: some MB for hundreds of validators."""
