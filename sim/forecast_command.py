"""Shell: `wattswarm market forecast`: how well each forecaster does on measured data, against the baseline."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from market.forecasting.evaluation import (
    SELECTED,
    ModelScore,
    Series,
    SeriesScore,
    evaluate_series,
    summarise,
)
from market.forecasting.selection import BASELINE
from market.terminal import table_console
from node.errors import ConfigError
from sim.forecast_series import load_series
from sim.homes.household_samples import SOURCES
from sim.homes.neighbourhood import HouseholdError

app = App(name="forecast", help="Evaluate the forecasters on measured data.")


@app.command
def evaluate(
    *,
    data: str | None = None,
    homes: int = 6,
    days: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Let every model forecast the coming day from many moments of measured series, and score it.

    The pinball loss is the mean over the quantiles 10, 25, 50, 75 and 90 %, in kWh per interval (price: currency per
    kWh); the skill is 1 less its ratio to that of the seasonal-naive baseline, so positive is better. Only the later
    half of each series is scored. "selected" is what a member would get: the model that was best on its own past, and
    the baseline unless one beat that.

    Example: wattswarm market forecast evaluate --data london --homes 4

    Exit status: 0 evaluated; 2 no such data, or too short.

    Parameters
    ----------
    data
        fontana, london, swiss (two weeks in summer and two in winter each) or a CSV file of your own; all three
        samples if not given.
    homes
        How many homes of each, chosen by seed.
    days
        Only so many days at the end of each series; at least 9.
    seed
        Chooses the homes.
    jobs
        How many processes share the work; one per processor if not given.
    as_json
        Print one JSON object: the scores per data set, kind and model, and of every series.
    """
    if homes < 1:
        raise ConfigError([f"--homes: must be at least 1, not {homes}"])
    try:
        series = [
            each
            for source in (SOURCES if data is None else (data,))
            for each in load_series(source, homes, seed, days)
        ]
    except HouseholdError as error:
        raise ConfigError([str(error)]) from error
    scores = list(_scores(series, min(len(series), jobs or os.cpu_count() or 1)))
    summary = summarise(scores)
    if as_json:
        table = {"models": [asdict(each) for each in summary], "series": [asdict(each) for each in scores]}
        sys.stdout.write(json.dumps(table, ensure_ascii=False) + "\n")
        return
    console = table_console()
    console.print(score_table(summary))
    console.print(
        f"{len(scores)} series, {sum(score.origins for score in scores)} forecasts of a day by each model; "
        f"the baseline is {BASELINE}."
    )


def score_table(summary: Sequence[ModelScore]) -> Table:
    """One row per data set, kind and model."""
    table = Table(title="forecasts of the coming day on held-out data")
    for heading in ("data", "of", "model"):
        table.add_column(heading)
    for heading in ("pinball loss", "skill", "in its 80 %", "beats the baseline for", "used for"):
        table.add_column(heading, justify="right")
    for score in summary:
        if score.model == BASELINE and table.row_count:
            table.add_section()
        table.add_row(
            score.source,
            score.kind,
            score.model,
            f"{score.loss:.5f}",
            "" if score.model == BASELINE else f"{score.skill:+.1%}",
            f"{score.coverage:.0%}",
            "" if score.model == BASELINE else f"{score.better} of {score.series}",
            "" if score.model == SELECTED else f"{score.used} of {score.series}",
        )
    return table


def _scores(series: Sequence[Series], jobs: int) -> Iterator[SeriesScore]:
    """Each series scored, in order; progress goes to standard error of a terminal."""
    if jobs == 1:
        yield from _reported(map(evaluate_series, series), len(series))
        return
    # The loader's threads would not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from _reported(pool.map(evaluate_series, series), len(series))


def _reported(scores: Iterator[SeriesScore], count: int) -> Iterator[SeriesScore]:
    for done, score in enumerate(scores, 1):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {count} series" + ("\n" if done == count else ""))
        yield score
