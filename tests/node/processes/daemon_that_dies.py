"""The command line with a power cut planted into it: `daemon_that_dies.py POINT node run ...`.

The process kills itself at the point, after it has decided a block: whatever is not on the disk by then is lost.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.store.store import Store
from node.cli.root import main
from node.daemon.signer import Signer

decided = 0


def die(*_: Any) -> None:
    """The power is cut, if a block was decided."""
    if decided:
        os.kill(os.getpid(), signal.SIGKILL)


def count(store: Store, *_: Any) -> None:
    """A block was decided and queued."""
    global decided
    decided += 1


def wrap(
    owner: type, name: str, before: Callable[..., None] | None, after: Callable[..., None] | None
) -> None:
    """Call something before or after a method of a class."""
    method = getattr(owner, name)

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(self, *arguments)
        result = method(self, *arguments, **named)
        if after is not None:
            after(self, *arguments)
        return result

    setattr(owner, name, wrapped)


POINTS: dict[str, tuple[type, str, bool]] = {
    "a vote is logged and not guarded": (SignGuard, "advance_vote", True),
    "a vote is guarded and not sent": (Signer, "vote", False),
    "a proposal is guarded and not sent": (Signer, "proposal", False),
    "an entry is signed and not committed": (Signer, "entry", False),
    "an entry is committed and not claimed": (Signer, "claim", True),
    "an entry is claimed and not sent": (Signer, "claim", False),
    "a block is decided and not committed": (Store, "put_block", False),
    "a block is committed and its log stands": (WriteAheadLog, "reset", True),
    "the log of a height is begun": (WriteAheadLog, "reset", False),
}
"""Class, method, and whether the power goes before it."""


if __name__ == "__main__":
    wrap(Store, "put_block", count, None)
    owner, name, before = POINTS[sys.argv.pop(1)]
    wrap(owner, name, die if before else None, None if before else die)
    main()
