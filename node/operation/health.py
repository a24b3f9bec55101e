"""Whether a node lives (`/healthz`) and whether it does its part (`/readyz`), with the reasons why not.

A node that does not live is to be restarted. One that lives and is not ready is to be looked at: a restart does not
bring back peers or a lost sign guard.
"""

from typing import Final

from node.operation.status import NodeStatus

LOOP_AGE_S: Final = 10.0
"""The loop comes round every second; after ten a service manager should not wait for it."""

IMAGE_AGE_S: Final = 15.0
"""The control process speaks every cycle; so long may it take to be started anew."""

LATE_INTERVALS: Final = 3
"""Intervals without a block after which a node no longer trades in practice; one may be under way, one late."""


def not_alive(status: NodeStatus) -> tuple[str, ...]:
    """Why the node has to be restarted; nothing if it lives."""
    reasons = []
    if status.loop_age_s > LOOP_AGE_S:
        reasons.append(f"the main loop has not come round for {status.loop_age_s:.0f} s")
    if status.image_age_s is None:
        if (status.real_ns - status.started_real_ns) / 1e9 > IMAGE_AGE_S:
            reasons.append("the control process has said nothing yet")
    elif status.image_age_s > IMAGE_AGE_S:
        reasons.append(f"the control process has said nothing for {status.image_age_s:.0f} s")
    return tuple(reasons)


def not_ready(status: NodeStatus) -> tuple[str, ...]:
    """Why the node does not do its part in the cell; nothing if it does."""
    reasons = list(not_alive(status))
    if status.read_only is not None:
        reasons.append(f"it only reads: {status.read_only}")
    elif not status.active:
        reasons.append("it is not active: too few peers have confirmed what it remembers")
    if status.peers < status.needed_peers:
        reasons.append(f"{status.peers} peers are connected, {status.needed_peers} are needed for a quorum")
    late = status.interval - status.decided_interval
    if status.height and late > LATE_INTERVALS:
        reasons.append(f"no block for {late} intervals")
    return tuple(reasons)
