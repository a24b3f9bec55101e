"""The tables of a ledger file and the exact text of their definitions.

What is stored cannot be re-derived, but for snapshots of the state, from which a start begins. Every column is either
bound by a signature or a hash inside its row, or checked by one beside it, so an audit finds any changed
byte.
"""

from typing import Final

APPLICATION_ID: Final = 0x57615474
"""`WaTt` in SQLite's header: the file says what it is."""

SCHEMA_VERSION: Final = 2

CELL_TABLE: Final = """CREATE TABLE cell (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    cell_id BLOB NOT NULL,
    schema_version INTEGER NOT NULL,
    base INTEGER NOT NULL
) STRICT"""
"""`base` is the height of the snapshot from which the chain can be followed here; 0 is the genesis."""

ENTRIES_TABLE: Final = """CREATE TABLE entries (
    member BLOB NOT NULL,
    incarnation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    id BLOB NOT NULL,
    envelope BLOB NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    first_seen_check BLOB NOT NULL,
    PRIMARY KEY (member, incarnation, sequence)
) STRICT"""

BLOCKS_TABLE: Final = """CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    block BLOB NOT NULL,
    certificate BLOB NOT NULL
) STRICT"""

VOTES_TABLE: Final = """CREATE TABLE votes (
    height INTEGER NOT NULL,
    round INTEGER NOT NULL,
    step INTEGER NOT NULL,
    validator INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    PRIMARY KEY (height, round, step, validator, envelope)
) STRICT"""

EVIDENCE_TABLE: Final = """CREATE TABLE evidence (
    id BLOB PRIMARY KEY NOT NULL,
    evidence BLOB NOT NULL
) STRICT"""

SNAPSHOTS_TABLE: Final = """CREATE TABLE snapshots (
    height INTEGER NOT NULL,
    part INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (height, part)
) STRICT"""
"""Part 0 is a snapshot's cover; its parts follow from 1 on. It can be re-derived, but not as fast."""

TABLES: Final = (CELL_TABLE, ENTRIES_TABLE, BLOCKS_TABLE, VOTES_TABLE, EVIDENCE_TABLE, SNAPSHOTS_TABLE)
"""In the order of creation, which is the order in which SQLite lists them."""
