"""The tables of a ledger file and the exact text of their definitions.

Only what cannot be re-derived is stored; state, balances and clearing follow from it. Every column is either
bound by a signature or a hash inside its row, or checked by one beside it, so an audit finds any changed
byte.
"""

from typing import Final

APPLICATION_ID: Final = 0x57615474
"""`WaTt` in SQLite's header: the file says what it is."""

SCHEMA_VERSION: Final = 1

CELL_TABLE: Final = """CREATE TABLE cell (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    cell_id BLOB NOT NULL,
    schema_version INTEGER NOT NULL
) STRICT"""

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

TABLES: Final = (CELL_TABLE, ENTRIES_TABLE, BLOCKS_TABLE, VOTES_TABLE, EVIDENCE_TABLE)
"""In the order of creation, which is the order in which SQLite lists them."""
