"""The command line with a bug planted into the core: the second decided block breaks an invariant."""

from typing import Any

from node.cli.root import main
from node.core.core import NodeCore

follow_decision = NodeCore._decided


def break_down(core: NodeCore, decided: Any, now: Any) -> Any:
    """As the real one, until the second block."""
    assert decided.tip.height < 2, "a planted bug"
    return follow_decision(core, decided, now)


if __name__ == "__main__":
    NodeCore._decided = break_down  # type: ignore[method-assign]
    main()
