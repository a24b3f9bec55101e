"""Shell: control goes before everything that merely computes, where the system allows it: POSIX round-robin scheduling.

A process that slept and is ready again waits otherwise until whoever has the processor has used up its slice, some ms
each, and niceness does not help against other sessions (Linux groups processes by session, sched(7)).
"""

import os
from enum import IntEnum


class Turn(IntEnum):
    """Real-time priorities, the lowest that there are. The loop's is above that of the threads beside it.

    These hold Python's lock in turn with it, so they need the processor before others too; but the loop must be able to
    interrupt them to ask for it.
    """

    BESIDE = 1
    LOOP = 2


def go_first(turn: Turn) -> str:
    """Put the calling thread, and those that it will start, before all ordinary ones; why it cannot be, or nothing."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(int(turn)))
    except AttributeError:
        return "this system has no such classes"
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def in_words(fault: str) -> str:
    """What follows from not going first, and what helps."""
    return (
        f"control has no real-time priority ({fault}): on a busy machine its cycles come some ms late;"
        f" LimitRTPRIO={int(Turn.LOOP)} in the unit, or ulimit -r {int(Turn.LOOP)}, allows it"
    )
