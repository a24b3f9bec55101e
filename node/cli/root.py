"""Shell: the root of the `wattswarm` command. Groups are loaded when they are used, so that a daemon starts fast."""

import sys
from importlib.metadata import version
from typing import Literal

from cyclopts import App, CycloptsError

from devices.errors import DeviceError
from ledger.errors import LedgerError
from market.errors import InputError
from node.errors import NodeError
from node.exit_codes import ExitCode

GROUPS = {
    "cell": ("node.cli.cell:app", "Found a cell, and change who belongs to it."),
    "node": ("node.cli.node:app", "Initialise and run the daemon of one device, and see its alarms."),
    "ledger": ("node.cli.ledger:app", "Verify and show a node's ledger, offline."),
    "market": (
        "node.cli.root:market",
        "Clear orders by hand, compare mechanisms, report on a ledger, and evaluate forecasts.",
    ),
    "devices": ("node.cli.devices:app", "Find, show, try and command devices; services and their response."),
    "sim": (
        "sim.cli:app",
        "Simulate the grid around a cell and a year of a market, and search seeded worlds for faults.",
    ),
    "testnet": ("sim.testnet.cli:app", "Run a whole cell of real processes on this machine."),
}

WITH_DATA = {
    "forecast": ("sim.forecast_command:app", "Evaluate the forecasters on measured data."),
}
"""Commands of the market that need measured data, which only `sim` has; added here, where alone it may be named."""

app = App(
    name="wattswarm",
    help="Energy cells without a central server: trade, agree, settle and dispatch between neighbours.",
    version=version("wattswarm"),
)
for _name, (_path, _help) in GROUPS.items():
    app.command(_path, name=_name, help=_help)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the completion of this command for a shell.

    Example: wattswarm completion bash > ~/.local/share/bash-completion/completions/wattswarm

    Parameters
    ----------
    shell
        For which shell.
    """
    sys.stdout.write(app.generate_completion(prog_name="wattswarm", shell=shell))


def __getattr__(name: str) -> App:
    """The group `market`, made when it is first asked for: `GROUPS` names it by this module."""
    if name != "market":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from node.cli.market import app as market

    known = set(market)
    for command, (path, text) in WITH_DATA.items():
        if command not in known:
            market.command(path, name=command, help=text)
    return market


def main() -> None:
    """Run the command line; the exit status is one of `ExitCode`."""
    try:
        app(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(_usage(error), ExitCode.USAGE)
    except NodeError as error:
        _fail(error, error.exit_code)
    except (InputError, LedgerError, DeviceError) as error:
        _fail(error, ExitCode.FAILED)
    except OSError as error:
        _fail(error, ExitCode.STORAGE)
    except KeyboardInterrupt:
        sys.exit(130)


def _usage(error: CycloptsError) -> str:
    """One line: what is wrong with the command line, and where its options are explained."""
    command = " ".join(("wattswarm", *(error.command_chain or ())))
    return f"{' '.join(str(error).split())} See: {command} --help"


def _fail(error: Exception | str, status: ExitCode) -> None:
    sys.stderr.write("".join(f"wattswarm: {line}\n" for line in str(error).splitlines()))
    sys.exit(status)


if __name__ == "__main__":
    main()
