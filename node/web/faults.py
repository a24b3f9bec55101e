"""The one form in which the API says no, and how its schema says so."""

from typing import Any

from fastapi.responses import JSONResponse
from starlette.requests import Request

from node.web.answers import ErrorAnswer, Problem

BIG = 2**53 - 1
"""The largest number that every reader of JSON has exactly."""

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "a token is needed"},
    403: {"model": ErrorAnswer, "description": "the token does not allow it, or another site asks"},
    421: {"model": ErrorAnswer, "description": "another host name than this server has"},
    422: {"model": ErrorAnswer, "description": "a parameter is not valid"},
    429: {"model": ErrorAnswer, "description": "too many requests"},
}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer, "description": "there is none"}}
BUSY: dict[int | str, dict[str, Any]] = {503: {"model": ErrorAnswer, "description": "busy; try again"}}

CODES = {
    404: ("not-found", "there is nothing at this address"),
    405: ("method-not-allowed", "this address does not take that method"),
    406: ("not-acceptable", "there is no answer of that type"),
    413: ("too-large", "the request is too large"),
}
"""What is said where only a status is known."""


class Refusal(Exception):  # noqa: N818 - it is said to people, and is no error of ours
    """A request is refused: status, stable code, text for people, and the parameter at fault if one is."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(code=code, message=message, field=field)


def refused(refusal: Refusal) -> JSONResponse:
    """The answer to a refused request."""
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    content = ErrorAnswer(error=refusal.problem).model_dump()
    return JSONResponse(content, status_code=refusal.status, headers=headers)


def refused_with(status: int, detail: object) -> JSONResponse:
    """The answer where the framework refused with a status."""
    code, message = CODES.get(status, ("refused", str(detail)))
    return refused(Refusal(status, code, message))


def invalid(request: Request, errors: list[dict[str, object]]) -> JSONResponse:
    """The answer to parameters that are not what the schema says; the first mistake is told."""
    first = errors[0] if errors else {}
    location = first.get("loc", ())
    names = [str(part) for part in location] if isinstance(location, tuple | list) else []
    field = ".".join(names[1:]) or None
    message = f"{field or 'the request'}: {first.get('msg', 'is not valid')}"
    return refused(Refusal(422, "invalid-request", message, field))
