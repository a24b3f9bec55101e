"""Shell: learns from a node's readings and keeps them, in a thread of its own beside the control loop."""

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from devices.configuration.control_config import ControlConfig
from devices.control.readiness_control import Beginning, ReadinessControl
from devices.errors import ConfigurationError
from devices.prediction.experience import Predictor, Shape, learned
from devices.prediction.kept import Kept, KeptError, from_text, to_text
from devices.prediction.readiness_config import ReadinessConfig

KEPT_NAME = "readiness.json"


class Learner:
    """The `Teacher` of `readiness_control`, over a file in the data directory. Learning lasts tenths of a second."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self._path = path
        self._shape = shape
        self._waiting: queue.Queue[tuple[Kept, bool] | None] = queue.Queue(1)
        self._taught: queue.SimpleQueue[Predictor] = queue.SimpleQueue()
        self._problem = ""
        self._thread = threading.Thread(target=self._work, name="readiness", daemon=True)
        self._thread.start()

    def offer(self, kept: Kept, *, learn: bool) -> None:
        """Keep this, and learn from it first if asked to. Never waits; what waited is replaced."""
        with suppress(queue.Empty):
            waited = self._waiting.get_nowait()
            learn |= waited is not None and waited[1]
        self._waiting.put_nowait((kept, learn))

    def taught(self) -> Predictor | None:
        """A predictor that was learned since the last time, if there is one."""
        try:
            return self._taught.get_nowait()
        except queue.Empty:
            return None

    def close(self, kept: Kept, timeout_s: float = 5.0) -> None:
        """Keep this last, and end; a disk that hangs holds up nobody for longer than this."""
        self.offer(kept, learn=False)
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (told := self._waiting.get()) is not None:
            kept, learn = told
            if learn:
                kept = self._learned(kept)
                self._taught.put(kept.predictor)
            self._write(to_text(kept, self._shape))

    def _learned(self, kept: Kept) -> Kept:
        try:
            predictor = learned(kept.readings, kept.first, self._shape, kept.predictor)
        except (ValueError, np.linalg.LinAlgError) as error:
            # A record from which nothing can be solved teaches nothing; the next one may.
            sys.stderr.write(f"readiness: nothing learned: {error}\n")
            return kept
        return Kept(kept.readiness, kept.first, kept.readings, predictor)

    def _write(self, text: str) -> None:
        new = self._path.with_suffix(".new")
        try:
            new.write_text(text, "utf-8")
            new.replace(self._path)
            self._problem = ""
        except OSError as error:
            # What is lost is only learned again, so control goes on; but it is said, once.
            if not self._problem:
                sys.stderr.write(f"readiness: {error}\n")
            self._problem = str(error)


@contextmanager
def prepared_control(config: ControlConfig, directory: Path) -> Iterator[ReadinessControl]:
    """The readiness of a control process, kept in its directory at the end. Raises ConfigurationError for a model file
    that does not serve, ValueError when no readiness is configured.
    """
    if config.readiness is None:
        raise ValueError("no readiness is configured")
    shape, path = Shape.of(config.readiness), directory / KEPT_NAME
    beginning = Beginning(read_model(config.readiness), read_kept(path, shape))
    learner = Learner(path, shape)
    readiness = ReadinessControl(config, learner, beginning)
    try:
        yield readiness
    finally:
        learner.close(readiness.kept())


def read_kept(path: Path, shape: Shape) -> Kept | None:
    """What was kept; None where nothing was, or what does not serve any more, which is said on standard error."""
    try:
        return from_text(path.read_text("utf-8"), shape)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, KeptError) as error:
        sys.stderr.write(f"readiness: {path}: begun anew: {error}\n")
        return None


def read_model(config: ReadinessConfig) -> Predictor | None:
    """The predictor fitted beforehand that the configuration names, if any. Raises ConfigurationError."""
    if config.model is None:
        return None
    path = Path(config.model)
    try:
        return from_text(path.read_text("utf-8"), Shape.of(config)).predictor
    except (OSError, UnicodeDecodeError, KeptError) as error:
        text = f"readiness.model: {path}: {error}; fit one with `wattswarm devices readiness fit`"
        raise ConfigurationError((text,)) from error
