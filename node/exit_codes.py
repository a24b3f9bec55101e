"""Exit statuses of the `wattswarm` command, documented in docs/operating.md."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a process's exit status says; a supervisor may restart after the ones marked so."""

    OK = 0
    FAILED = 1  # a check ran and found something wrong (verify, testnet)
    USAGE = 2  # a wrong option or configuration; restarting cannot help
    DIRECTORY_IN_USE = 3  # another daemon holds the data directory
    STORAGE = 4  # disk full, read-only or unreadable; nothing agreed is lost
    UNTRUSTED_STATE = 5  # the ledger or the guard lost something: operator needed
    NETWORK = 6  # the listen address cannot be used
    DEVICES = 7  # the control process failed again and again
    BUG = 70  # an invariant of ours broke; trading stopped, the device is in its safe state
