"""Shell: `wattswarm testnet`: run a whole cell of real processes on this machine."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal, cast

import trio
from cyclopts import App, Parameter

from node.errors import ConfigError
from node.exit_codes import ExitCode
from sim.homes.households import load_households
from sim.homes.neighbourhood import HouseholdError
from sim.interrupts import heed_interrupts
from sim.testnet.chaos import ChaosReport, ChaosSummary, run_chaos
from sim.testnet.chaos_plan import plan
from sim.testnet.federation.command import cells_command
from sim.testnet.feeder import default_feeder
from sim.testnet.given_devices import read_devices
from sim.testnet.page_process import DEFAULT_PAGE_PORT
from sim.testnet.preparation import Parameters
from sim.testnet.progress import ProgressView, branch_names
from sim.testnet.run import run_testnet
from sim.testnet.summary import Summary

app = App(name="testnet", help="Run a whole cell of real processes on this machine.")
app.command(cells_command, name="cells")


@app.command
def run(
    *,
    data_dir: Path,
    nodes: int = 8,
    intervals: int = 24,
    speed: int = 1200,
    data: str = "fontana",
    season: Literal["summer", "winter"] = "summer",
    seed: int = 0,
    chaos: int | None = None,
    device: Path | None = None,
    page: Annotated[bool, Parameter(negative="")] = False,
    page_port: int = DEFAULT_PAGE_PORT,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Found a cell, run one daemon per home on loopback, and verify every ledger at the end.

    The homes are measured ones. Exit status 0 only if all nodes agree and all ledgers verify, and with --chaos if every
    invariant holds. Interrupted, it stops every node first.

    Example: wattswarm testnet run --nodes 8 --intervals 24 --speed 1200 --data-dir ./demo-cell

    Parameters
    ----------
    data_dir
        Where to keep everything of the testnet; must be empty or not exist.
    nodes
        How many homes, each with a daemon and a control process.
    intervals
        How many intervals trade.
    speed
        How many times faster than real time the cell's clock runs.
    data
        fontana (hourly, with PV), london (half-hourly, dynamic tariff), swiss (quarter-hourly, both) or a CSV file.
    season
        Which of the two weeks of a committed sample.
    seed
        Chooses the homes and who has a battery.
    chaos
        A seed that chooses what is killed, paused, restarted, cut off, slowed down or restored from old files; at least
        four nodes.
    device
        A file with tables [[site.ders]], as in a node's configuration: devices that the first home has besides.
    page
        Serve a page that shows all nodes side by side, as long as the testnet runs.
    page_port
        The port of loopback for that page; 0 takes any that is free.
    as_json
        Print the summary as one JSON object, the last line of standard output.
    """
    _check_options(speed, chaos, nodes, intervals, page=page, device=device)
    devices = [] if device is None else read_devices(device)
    parameters = Parameters(nodes, intervals, speed, data, season, seed, page and chaos is None)
    try:
        neighbourhood = load_households(data, season, homes=nodes, seed=seed, intervals=intervals)
    except HouseholdError as error:
        raise ConfigError([str(error)]) from error
    heed_interrupts()
    try:
        with ProgressView(branch_names(default_feeder(neighbourhood, intervals)), intervals) as view:
            arguments = (data_dir, parameters, neighbourhood, view.update)
            summary: Summary | ChaosSummary
            if chaos is None:
                summary = trio.run(run_testnet, *arguments, page_port if page else None, devices)
            else:
                summary = trio.run(run_chaos, *arguments, chaos, view.say)
    except KeyboardInterrupt:
        sys.stderr.write(f"Interrupted; all nodes are stopped, and what they wrote is in {data_dir}.\n")
        raise
    _tell(summary, as_json=as_json)


def _tell(summary: Summary | ChaosSummary, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        _print(summary)
    if not summary["ok"]:
        sys.exit(ExitCode.FAILED)


def _check_options(
    speed: int, seed: int | None, nodes: int, intervals: int, *, page: bool, device: Path | None
) -> None:
    if speed < 1:
        raise ConfigError([f"--speed: must be at least 1, not {speed}"])
    if seed is None:
        return
    if device is not None:
        raise ConfigError(["--device: for a testnet without --chaos; leave one of them out"])
    if page:
        raise ConfigError(["--page: shows a testnet without --chaos; leave one of them out"])
    try:
        plan(seed, nodes, intervals)
    except ValueError as error:
        raise ConfigError([str(error)]) from error


def _print(summary: Summary | ChaosSummary) -> None:
    share = summary["local_share"]
    rows = (
        ("blocks", f"{summary['blocks']}, all nodes hold the same: {'yes' if summary['agreed'] else 'NO'}"),
        ("ledgers", "all verify" if summary["verified"] else f"NOT VERIFIED: {summary['faults']}"),
        (
            "traded",
            f"{summary['traded_kwh']:.3f} kWh in {summary['traded_intervals']} of {summary['intervals']} intervals",
        ),
        ("mean price", f"{_figure(summary['price_mean'], '.4f')} {summary['currency']}/kWh"),
        ("covered locally", "-" if share is None else f"{share:.1%} of consumption"),
        (
            "agreement",
            f"p50 {_figure(summary['agreement_ms_p50'], '.0f')} ms,"
            f" p99 {_figure(summary['agreement_ms_p99'], '.0f')} ms",
        ),
        (
            "per node, interval",
            f"{_figure(summary['bytes_per_node_and_interval'], '.0f')} bytes, "
            f"{_figure(summary['cpu_s_per_node_and_interval'], '.3f')} CPU s",
        ),
        ("kept in", str(summary["directory"])),
    )
    for name, text in rows:
        sys.stdout.write(f"{name:>20}  {text}\n")
    if "chaos" in summary:
        _print_chaos(cast(ChaosSummary, summary)["chaos"])


def _print_chaos(report: ChaosReport) -> None:
    done = report["carried_out"]
    rows = [
        ("chaos", f"seed {report['seed']}: {len(done)} of {len(report['planned'])} disturbances carried out"),
        (
            "longest silence",
            f"{report['longest_silence_s']:.1f} s of {report['allowed_silence_s']:.1f} s allowed,"
            f" {report['missed_intervals']} intervals missed",
        ),
        *(
            (name.replace("_", " "), "; ".join(invariant["found"]) if invariant["found"] else "holds")
            for name, invariant in report["invariants"].items()
        ),
    ]
    for name, text in rows:
        sys.stdout.write(f"{name:>28}  {text}\n")


def _figure(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
