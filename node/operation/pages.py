"""The three pages of operation as pure functions: a path and a status in, an answer out; any server may mount them."""

from dataclasses import dataclass
from typing import Final

from node.operation.health import not_alive, not_ready
from node.operation.metrics import CONTENT_TYPE, metrics_text
from node.operation.status import NodeStatus

PLAIN: Final = "text/plain; charset=utf-8"
PATHS: Final = ("/metrics", "/healthz", "/readyz")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, the type of its content, and the content."""

    code: int
    content_type: str
    body: bytes


def answer(path: str, status: NodeStatus) -> Answer:
    """What a GET of a path is answered with: the metrics, or health with 200 or 503 and one reason a line."""
    match path.partition("?")[0]:
        case "/metrics":
            return Answer(200, CONTENT_TYPE, metrics_text(status))
        case "/healthz":
            return _health(not_alive(status))
        case "/readyz":
            return _health(not_ready(status))
    return Answer(404, PLAIN, f"there are {', '.join(PATHS)}\n".encode())


def _health(reasons: tuple[str, ...]) -> Answer:
    if not reasons:
        return Answer(200, PLAIN, b"ok\n")
    return Answer(503, PLAIN, "".join(f"{reason}\n" for reason in reasons).encode())
