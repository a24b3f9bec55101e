"""Shell: the daemon's view of its web server: a process that is started, and started again when it ends.

Nothing here may end the daemon or hold it up: a web server that cannot run is logged and tried again, ever less often.
"""

import os
import subprocess
import sys
from pathlib import Path

import structlog
import trio

WEB_LOG = "web.log"
RESTART_S = 1.0
"""real seconds before the first new start; twice as long after each further one."""
LONGEST_RESTART_S = 60.0
GOOD_RUN_S = 60.0
"""a run of so many real seconds was none of a row of failures."""


async def keep_web_server(
    config_path: Path, directory: Path, log: structlog.typing.FilteringBoundLogger
) -> None:
    """Run the web server of a node until cancelled; then it is asked to end, and killed if it does not."""
    pause_s = RESTART_S
    while True:
        began_s = trio.current_time()
        try:
            with (directory / WEB_LOG).open("ab") as output:
                ended = await trio.run_process(
                    [sys.executable, "-m", "node.web.web_process", str(config_path), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=False,
                )
            reason = f"status {ended.returncode}; see {directory / WEB_LOG}"
        except OSError as fault:
            reason = str(fault)
        if trio.current_time() - began_s > GOOD_RUN_S:
            pause_s = RESTART_S
        log.warning("web_server_ended", reason=reason, again_in_s=pause_s)
        await trio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_RESTART_S)
