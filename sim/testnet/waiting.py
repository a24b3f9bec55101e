"""Shell: waits for what the processes of a testnet do; looks a few times a second, and never longer than told."""

from collections.abc import Callable

import trio

from node.errors import NodeError
from node.exit_codes import ExitCode

POLL_S = 0.1


class TestnetError(NodeError):
    """The testnet could not do what it was asked for; the message names the node and its log."""

    exit_code = ExitCode.FAILED


async def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition came true within so many real seconds. It is asked again and again and may raise."""
    with trio.move_on_after(timeout_s):
        while not condition():
            await trio.sleep(POLL_S)
        return True
    return False
