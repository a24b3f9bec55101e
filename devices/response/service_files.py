"""Shell: reads the response curves that come with the package, and those of the operator."""

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from devices.errors import ServiceError
from devices.response.response_curve import ResponseCurve, parse_curve

FOLDER = Path(__file__).parents[1] / "services"


def read_curve_file(path: Path) -> ResponseCurve:
    """The curve of one TOML file. Raises ServiceError naming the file and every mistake in it."""
    try:
        source = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ServiceError(f"{path}: no such file; devices/services/ holds examples of curves") from None
    except (OSError, ValueError) as error:
        raise ServiceError(f"{path}: cannot be read: {error}") from error
    try:
        return parse_curve(source)
    except ServiceError as error:
        raise ServiceError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


@cache
def built_in_curves() -> tuple[ResponseCurve, ...]:
    """Every curve that comes with the package, by name."""
    return tuple(
        sorted((read_curve_file(path) for path in FOLDER.glob("*.toml")), key=lambda curve: curve.name)
    )


def known_curves(files: Iterable[Path]) -> dict[str, ResponseCurve]:
    """The curves by name: the package's, and the operator's files, which may not take a name of another."""
    curves = {curve.name: curve for curve in built_in_curves()}
    for path in files:
        curve = read_curve_file(path)
        if curve.name in curves:
            raise ServiceError(f"{path}: name: {curve.name!r} is taken; choose another")
        curves[curve.name] = curve
    return curves


def find_curve(service: str, files: Iterable[Path] = ()) -> ResponseCurve:
    """The curve of that name, alias or TOML file. Raises ServiceError saying which names come close."""
    if service.endswith(".toml"):
        return read_curve_file(Path(service))
    curves = known_curves(files)
    spellings = {_plain(name): curve for curve in curves.values() for name in (*curve.aliases, curve.name)}
    words = {_words(name): curve for curve in curves.values() for name in (*curve.aliases, curve.name)}
    curve = curves.get(service) or spellings.get(_plain(service)) or words.get(_words(service))
    if curve is None:
        close = get_close_matches(_plain(service), spellings, n=3, cutoff=0.5)
        names = dict.fromkeys(spellings[spelling].name for spelling in close)
        hint = f"did you mean {' or '.join(names)}? " if names else ""
        raise ServiceError(
            f"{service}: no such service; {hint}All are listed by `wattswarm devices response --list`"
        )
    return curve


def _plain(name: str) -> str:
    """A name as people vary it: case and whatever stands between words do not count."""
    return "".join(_split(name))


def _words(name: str) -> tuple[str, ...]:
    """The words of a name in any order."""
    return tuple(sorted(_split(name)))


def _split(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())
