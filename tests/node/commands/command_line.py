"""`wattswarm` run inside a test, as a person would run it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from node.cli.root import main

Run = Callable[..., tuple[int, str, str]]


def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *first: str) -> Run:
    """What runs `wattswarm` with arguments after the `first`: exit status, standard output, standard error."""

    def run_command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wattswarm", *first, *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_command
