"""Shell: the process of `loaded_program`: loads what a daemon needs, then forks one for each request.

`python -m sim.testnet.loaded_process SOCKET PARENT ROOM`. It answers `{"words", "log", "directory", "environment"}`
with a process id, `{"ended": pid}` with its exit status or null, and ends when the socket is closed.
"""

import ctypes
import gc
import importlib
import json
import os
import socket
import sys
from pathlib import Path

from sim.testnet.loaded_program import MESSAGE_LIMIT
from sim.testnet.processes import die_with

LOADED = ("node.cli.node", "node.daemon.runtime", "node.transport.libp2p.adapter")
"""What every daemon imports sooner or later, and nothing that starts a thread or reads a configuration."""


def main() -> None:
    """Serve until the socket closes. In a forked process it returns what the command line returns."""
    die_with(int(sys.argv[2]))
    from node.cli import root

    for module in LOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection of a daemon does not touch, and so not copy, what all share
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = _next_daemon(requests)
    if request is not None:
        _become(request)
        root.main()


def _next_daemon(requests: socket.socket) -> dict[str, object] | None:
    """Answer until the socket closes (None), or until this is a forked process that is to become a daemon."""
    while message := requests.recv(MESSAGE_LIMIT):
        request: dict[str, object] = json.loads(message)
        if (asked := request.get("ended")) is not None:
            answer = _status(int(str(asked)))
        else:
            parent = os.getpid()
            begun, begin = os.pipe()
            answer = os.fork()
            if answer == 0:
                os.close(begun)
                os.setsid()
                die_with(parent)
                os.close(begin)
                return request
            os.close(begin)
            os.read(begun, 1)  # until then a signal could stop what would outlive us
            os.close(begun)
        requests.send(json.dumps(answer).encode())
    return None


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _become(request: dict[str, object]) -> None:
    """Take over output, working directory, environment and words."""
    words, environment = request["words"], request["environment"]
    assert isinstance(words, list) and isinstance(environment, dict)
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(str(request["directory"]))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words[1:]
    _show([sys.executable, *words])


def _show(words: list[str]) -> None:
    """Write these words where the kernel reads the command line of a process: fields 48 and 49 of proc_pid_stat(5)."""
    fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    line = b"".join(os.fsencode(word) + b"\0" for word in words)
    if len(line) <= end - start:
        ctypes.memmove(start, line.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
