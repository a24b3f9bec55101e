"""Shell: `wattswarm devices readiness fit|show`: fits what foresees trouble, and shows what a node has learned."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import App, Parameter

from devices.configuration.control_config import ControlConfig, parse_config
from devices.errors import ProfileError
from devices.prediction.experience import (
    LEAST_EVENTS,
    LEAST_UNSEEN_EVENTS,
    Predictor,
    Shape,
    learned,
    untaught,
)
from devices.prediction.kept import Kept, KeptError, from_text, to_text
from devices.prediction.readiness import Readiness, Trouble
from devices.prediction.readiness_config import ReadinessConfig
from devices.prediction.trouble import Floats
from devices.process.control_files import load_grid_profile, load_profile
from devices.process.learner import KEPT_NAME
from node.configuration.config import control_table, load_config
from node.errors import InputRefusedError
from node.exit_codes import ExitCode

Json = Annotated[bool, Parameter(name="--json", negative="")]
NS_PER_S = 1_000_000_000
MOST_STEPS = 1_000_000
"""Readings of a record: two years of minutes."""

app = App(
    name="readiness", help="Foresee trouble: fit a model from a record, and see what a node has learned."
)


@app.command
def fit(config: Path, /, *, out: Path = Path("readiness-model.json"), as_json: Json = False) -> None:
    """Fit what foresees trouble from the record that a configuration replays, and write it for `site.readiness.model`.

    Learned on the first three quarters and proved on the last: a model that does not beat the threshold there in both
    proper scores (Brier, log loss) is not used, and the file then holds the threshold. Exit status 1 when the record
    has too few troubles to learn from; nothing is written then.

    Example: wattswarm devices readiness fit ./home-7/node.toml --out ./home-7/readiness-model.json

    Parameters
    ----------
    config
        The node's configuration file, with `[site.readiness]` and a profile (of the grid, for frequency).
    out
        The file to write.
    as_json
        Print the scores as one JSON object.
    """
    control, wanted = _configured(config)
    shape = Shape.of(wanted)
    first, values = _record(control, wanted)
    held = untaught(wanted)
    predictor = learned(values, first, shape, held)
    if predictor is held:
        sys.stderr.write(
            f"{config}: its record of {values.size} readings leaves its band too seldom: "
            f"{LEAST_EVENTS} times in its first three quarters and {LEAST_UNSEEN_EVENTS} in the last are needed\n"
        )
        sys.exit(ExitCode.FAILED)
    out.write_text(to_text(Kept(Readiness(), 0, np.empty(0), predictor), shape), "utf-8")
    _say(_scores(predictor) | {"readings": int(values.size), "file": str(out)}, as_json)


@app.command
def show(config: Path, /, *, data_dir: Path | None = None, as_json: Json = False) -> None:
    """Show what a node has kept of its readiness: its level, what it predicts with, and how that did.

    Kept at every change of the level, at every lesson and at the end, so it may be a few hours old. Exit status 1 when
    the node has kept nothing yet.

    Example: wattswarm devices readiness show ./home-7/node.toml

    Parameters
    ----------
    config
        The node's configuration file, with `[site.readiness]`.
    data_dir
        Where the node keeps its files, if not where the configuration says.
    as_json
        Print one JSON object.
    """
    control, wanted = _configured(config)
    path = (Path(control.data_dir) if data_dir is None else data_dir) / KEPT_NAME
    try:
        kept = from_text(path.read_text("utf-8"), Shape.of(wanted))
    except FileNotFoundError:
        sys.stderr.write(f"{path}: not there; a node writes it when it has run with this configuration\n")
        sys.exit(ExitCode.FAILED)
    except (OSError, UnicodeDecodeError, KeptError) as error:
        raise InputRefusedError(f"{path}: {error}") from error
    known = int(np.isfinite(kept.readings).sum())
    about = {"level": kept.readiness.level.value, "readings": int(kept.readings.size), "known": known}
    _say(about | _scores(kept.predictor), as_json)


def _configured(path: Path) -> tuple[ControlConfig, ReadinessConfig]:
    config = load_config(path)
    control = parse_config(control_table(config, interval_s=900))
    if control.readiness is None:
        raise InputRefusedError(f"{path}: has no [site.readiness]; see docs/prediction.md")
    return control, control.readiness


def _record(control: ControlConfig, wanted: ReadinessConfig) -> tuple[int, Floats]:
    """Means of what is watched over each step of the record, and the first step's number."""
    step_ns = wanted.every_s * NS_PER_S
    try:
        grid = load_grid_profile(control) if wanted.against is Trouble.FREQUENCY else None
        profile = load_profile(control) if grid is None else None
    except (ProfileError, csv.Error) as error:
        raise InputRefusedError(str(error)) from error
    if grid is not None:
        first, last = _steps(grid.edges, step_ns)
        seen = [grid.at(step * step_ns) for step in range(first, last)]
        return first, np.array([np.nan if each is None else each[0] for each in seen])
    if profile is None:
        raise InputRefusedError("site.profile: is missing; the record to fit from is what it replays")
    first, last = _steps(profile.load.edges, step_ns)
    edges = [step * step_ns for step in range(first, last + 1)]
    drawn = np.array(
        [profile.load.energy_until(edge) - profile.pv.energy_until(edge) for edge in edges], dtype=object
    )
    # Picojoules over nanoseconds are mW.
    return first, np.asarray(np.diff(drawn) / (step_ns * 1_000), dtype=np.float64)


def _steps(edges: tuple[int, ...], step_ns: int) -> tuple[int, int]:
    first, last = -(-edges[0] // step_ns), edges[-1] // step_ns
    if not 1 < last - first <= MOST_STEPS:
        raise InputRefusedError(f"the record has {last - first} readings; it must have 2 to {MOST_STEPS}")
    return first, last


def _scores(predictor: Predictor) -> dict[str, object]:
    names = ("brier_threshold", "log_loss_threshold", "brier_model", "log_loss_model")
    scores = predictor.scores or (None,) * len(names)
    uses = "model" if predictor.model is not None else "threshold"
    return {"uses": uses, "threshold": predictor.threshold.bound, **dict(zip(names, scores, strict=True))}


def _say(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for name, value in found.items():
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        sys.stdout.write(f"{name.replace('_', ' ')}: {text}\n")
