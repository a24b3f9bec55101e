"""Shell: the data directory of a simulated node: ledger, sign guard and write-ahead log on one disk.

Faults befall it as the plan says; `repair` does what an operator does after the daemon refused it.
"""

import errno
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from ledger.directory import AGREEMENT_LOG_FILE, GENESIS_FILE, GUARD_FILE, LEDGER_FILE
from ledger.errors import Corrupt
from ledger.genesis import Genesis
from ledger.sign_guard import SignGuard, blank_guard
from ledger.write_ahead_log import WriteAheadLog
from sim.cells.faults import MS, DiskFault, GuardKept
from sim.cells.ledger import IN_MEMORY, PoweredStore, check_file, copied, flip_bit, new_ledger
from sim.simulated_disk import Health, Mishap, Power, SimulatedFile

SLOW_NS = 20 * MS
"""What one operation of a slow disk takes."""


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """A backup of a node's disk, made between two turns."""

    ledger: sqlite3.Connection
    guard: bytes | None
    log: bytes


@dataclass(slots=True)
class NodeDisk:
    """One node's disk. `guard` is None where the file is gone; `operation_ns` is how slow it is."""

    genesis: Genesis
    random: Random
    power: Power = field(default_factory=Power)
    health: Health = field(default_factory=Health)
    operation_ns: int = 0
    ledger: sqlite3.Connection = field(init=False)
    guard: SimulatedFile | None = field(init=False)
    log: SimulatedFile = field(init=False)
    _unflushed_from: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        self.ledger = new_ledger(self.genesis.cell_id)
        self.guard = self._file(blank_guard())
        self.log = self._file(b"")

    def open_store(self) -> PoweredStore:
        """The ledger, as the daemon opens it. Raises `Corrupt`."""
        check_file(self.ledger)
        store = PoweredStore(IN_MEMORY, self.genesis.cell_id, self.ledger)
        store.power, store.health = self.power, self.health
        return store

    def open_guard(self) -> SignGuard | None:
        """The sign guard, None when its file is gone. Raises `Corrupt`."""
        return None if self.guard is None else SignGuard(self.guard)

    def open_log(self) -> WriteAheadLog:
        """The write-ahead log. Raises `Corrupt`."""
        return WriteAheadLog(self.log)

    def lose_power(self) -> None:
        """All that was not flushed may be lost or torn; so is all that a lying disk called durable."""
        for file in (self.guard, self.log):
            if file is not None:
                file.lose_power(self.random)
        if self._unflushed_from is not None:
            self.ledger, self._unflushed_from = self._unflushed_from, None
        self.health.lies = False

    def befall(self, fault: DiskFault) -> str:
        """Let a fault happen; says what it did."""
        match fault:
            case DiskFault.FULL:
                self.health.refuses = errno.ENOSPC
            case DiskFault.FAILS:
                self.health.refuses = errno.EIO
            case DiskFault.SLOW:
                self.operation_ns = SLOW_NS
            case DiskFault.LOG_ROTS:
                self.log.flip_bit(self.random)
            case DiskFault.GUARD_ROTS:
                if self.guard is not None:
                    self.guard.flip_bit(self.random)
            case DiskFault.LEDGER_ROTS:
                return f"{fault.value}: {flip_bit(self.ledger, self.random)}"
            case DiskFault.GUARD_LOST:
                self.guard = None
            case DiskFault.WRITE_LOST:
                self.health.mishap = Mishap.LOST
            case DiskFault.WRITE_MISDIRECTED:
                self.health.mishap = Mishap.MISDIRECTED
            case DiskFault.FLUSH_LIES:
                self.health.lies, self._unflushed_from = True, copied(self.ledger)
        return str(fault.value)

    def repair(self) -> str:
        """Free space or replace the disk, and move away what the daemon calls corrupt; says what was done."""
        self.health.refuses, self.health.mishap, self.operation_ns = None, None, 0
        done = "the disk is repaired"
        try:
            self.open_guard()
        except Corrupt:
            self.guard, done = None, "the sign guard is moved away"
        try:
            self.open_log()
        except Corrupt:
            self.log, done = self._file(b""), "the write-ahead log is moved away"
        return done

    def empty_ledger(self) -> None:
        """The operator moves the ledger away; peers have what was in it."""
        self.ledger = new_ledger(self.genesis.cell_id)

    def back_up(self) -> DiskCopy:
        """A copy of the disk."""
        guard = None if self.guard is None else self.guard.read()
        return DiskCopy(copied(self.ledger), guard, self.log.read())

    def put_back(self, copy: DiskCopy, kept: GuardKept) -> None:
        """An old backup takes the place of what is there."""
        self.ledger, self._unflushed_from = copied(copy.ledger), None
        self.log = self._file(copy.log)
        if kept is GuardKept.NONE or (kept is GuardKept.OLD and copy.guard is None):
            self.guard = None
        elif kept is GuardKept.OLD and copy.guard is not None:
            self.guard = self._file(copy.guard)

    def save(self, directory: Path) -> None:
        """Write it as a data directory, for `wattswarm ledger`."""
        directory.mkdir(parents=True)
        (directory / GENESIS_FILE).write_bytes(self.genesis.encode())
        if self.guard is not None:
            (directory / GUARD_FILE).write_bytes(self.guard.read())
        (directory / AGREEMENT_LOG_FILE).write_bytes(self.log.read())
        self.ledger.execute("VACUUM INTO ?", (str(directory / LEDGER_FILE),))

    def _file(self, content: bytes) -> SimulatedFile:
        return SimulatedFile(self.power, content, self.health)
