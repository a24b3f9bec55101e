"""Shell: structured logs on standard error: JSON lines, or readable lines on a terminal. Losing a line is harmless."""

import logging
import sys
from typing import TextIO

import structlog


class _PatientStream:
    """Writes log lines; a full disk or a closed terminal loses lines and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def write(self, text: str) -> int:
        """Write, or count the loss."""
        try:
            return self._stream.write(text)
        except OSError:
            self.lost += 1
            return 0

    def flush(self) -> None:
        """Flush, or count the loss."""
        try:
            self._stream.flush()
        except OSError:
            self.lost += 1


def open_log(name: str) -> structlog.typing.FilteringBoundLogger:
    """The log of one node, with its name in every line."""
    logging.getLogger("libp2p").setLevel(logging.ERROR)
    terminal = sys.stderr.isatty()
    stamped: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_lines = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    structlog.configure(
        processors=[*stamped, structlog.dev.ConsoleRenderer()] if terminal else [*stamped, *as_lines],
        logger_factory=structlog.PrintLoggerFactory(file=_PatientStream(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(node=name)
    return log
