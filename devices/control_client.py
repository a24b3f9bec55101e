"""Shell: the daemon's end of the control socket: finds or starts the control process and speaks with it
(trio).

The control process outlives the daemon on purpose; a restarted daemon finds it again by its directory.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from devices.cell_clock import ClockSpec
from devices.control_messages import Mode, Upward
from devices.limits import PowerRange

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus


class ControlClient:
    """A connection to the control process of one data directory, kept up while `run` runs.

    `messages` yields what control says, in order: `Attached` after every (re)connection, then images, meter
    records (until acknowledged: expect repetitions) and alarms. It is bounded: images are dropped when it is
    full, records and alarms wait.
    """

    messages: trio.MemoryReceiveChannel[Upward]

    def __init__(self, config_path: Path, data_dir: Path, clock: ClockSpec, interval_s: int) -> None:
        """`config_path` is the control process's configuration file; `data_dir` the directory it names."""
        raise NotImplementedError

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Attach to the control process or start it, then serve until cancelled; started once attached.

        Raises ControlError when it cannot be reached or started after repeated attempts.
        """
        raise NotImplementedError

    def send_position(self, interval: int, energy: int) -> None:
        """Contracted net energy of an interval (mWh, injection positive): a lease until the interval's end.

        Never waits. What is sent while no connection is up is sent again after the next attachment, while it
        is valid.
        """
        raise NotImplementedError

    def send_limits(self, limits: PowerRange, reversion: PowerRange, duration_s: float) -> None:
        """What the connection may carry for `duration_s` of real time, and afterwards until new limits."""
        raise NotImplementedError

    def send_mode(self, mode: Mode) -> None:
        """Enter a mode, the emergency stop included; it holds until another is sent."""
        raise NotImplementedError

    def acknowledge(self, interval: int) -> None:
        """The meter record of `interval` is safe (in the ledger's store); control may forget it."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Have control give every device its reversion value and exit; waits until it is gone."""
        raise NotImplementedError
