"""Shell: starts the page of a whole testnet, a process of its own that goes when the testnet goes."""

import os
import subprocess
import sys
from pathlib import Path

DEFAULT_PAGE_PORT = 7460
PAGE_LOG = "page.log"


def start_page(directory: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start the page of the testnet in a directory; it says on standard error where it is."""
    with (directory / PAGE_LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sim.testnet.page", str(directory), str(port), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
        )
