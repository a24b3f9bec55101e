"""Reads the fields of an untrusted mapping: one message per mistake, with the field's path and what is
allowed.
"""

import math
from collections.abc import Mapping
from typing import TypeVar

Harmless = TypeVar("Harmless")


class Fields:
    """One mapping under inspection. Each read takes a key; mistakes collect in `problems`, shared with
    children.

    A read that fails returns a harmless value of the right type: nothing may be used while `problems` is not
    empty.
    """

    def __init__(self, source: Mapping[str, object], path: str, problems: list[str]) -> None:
        self._source = source
        self._path = path
        self._read: set[str] = set()
        self.problems = problems

    @classmethod
    def of(cls, source: object, path: str, problems: list[str]) -> "Fields":
        """The fields of `source`; anything but a mapping with text keys is a mistake and reads as empty."""
        if isinstance(source, Mapping) and all(isinstance(key, str) for key in source):
            return cls(source, path, problems)
        problems.append(f"{path or 'the top level'}: must be a table, not {_kind(source)}")
        return cls({}, path, [])

    def integer(self, key: str, minimum: int, maximum: int, default: int | None = None) -> int:
        """A whole number from `minimum` to `maximum`."""
        value = self._take(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum:
            return value
        return self._wrong(key, f"must be a whole number from {minimum} to {maximum}", minimum)

    def number(self, key: str, minimum: float, maximum: float, default: float | None = None) -> float:
        """A finite number from `minimum` to `maximum`."""
        value = self._take(key, default)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and minimum <= value <= maximum
        ):
            return float(value)
        return self._wrong(key, f"must be a number from {minimum:g} to {maximum:g}", minimum)

    def text(self, key: str, longest: int, default: str | None = None) -> str:
        """A text of 1 to `longest` characters."""
        value = self._take(key, default)
        if isinstance(value, str) and 0 < len(value) <= longest:
            return value
        return self._wrong(key, f"must be a text of 1 to {longest} characters", "?")

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of the allowed texts."""
        value = self._take(key, default)
        if isinstance(value, str) and value in allowed:
            return value
        return self._wrong(key, f"must be one of {', '.join(allowed)}", allowed[0])

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        return value if isinstance(value, bool) else self._wrong(key, "must be true or false", default)

    def texts(self, key: str, most: int, longest: int) -> tuple[str, ...]:
        """A list of at most `most` texts; none where the field is missing."""
        value = self._take(key, [])
        if isinstance(value, list) and len(value) <= most:
            texts = tuple(each for each in value if isinstance(each, str) and 0 < len(each) <= longest)
            if len(texts) == len(value):
                return texts
        return self._wrong(key, f"must be a list of at most {most} texts of 1 to {longest} characters", ())

    def integers(self, key: str, most: int, minimum: int, maximum: int) -> tuple[int, ...]:
        """A list of 1 to `most` whole numbers from `minimum` to `maximum`."""
        value = self._take(key, None)
        if isinstance(value, list | tuple) and 0 < len(value) <= most:
            found = tuple(each for each in value if isinstance(each, int) and not isinstance(each, bool))
            if len(found) == len(value) and all(minimum <= each <= maximum for each in found):
                return found
        rule = f"must be a list of 1 to {most} whole numbers from {minimum} to {maximum}"
        return self._wrong(key, rule, (minimum,))

    def pair(self, key: str, minimum: float, maximum: float) -> tuple[float, float]:
        """Two finite numbers from `minimum` to `maximum`, the first at most the second."""
        pair = _pair(self._take(key, None), max(abs(minimum), abs(maximum)))
        if pair is not None and minimum <= pair[0] <= pair[1] <= maximum:
            return pair
        rule = f"must be two numbers from {minimum:g} to {maximum:g}, the lower one first"
        return self._wrong(key, rule, (minimum, maximum))

    def pairs(self, key: str, most: int, largest: float) -> tuple[tuple[float, float], ...]:
        """A list of 1 to `most` pairs of finite numbers of at most `largest` either way."""
        value = self._take(key, None)
        if isinstance(value, list) and 0 < len(value) <= most:
            pairs = tuple(pair for each in value if (pair := _pair(each, largest)) is not None)
            if len(pairs) == len(value):
                return pairs
        return self._wrong(key, f"must be a list of 1 to {most} pairs of numbers", ((0.0, 0.0),))

    def rows(
        self, key: str, limits: tuple[tuple[float, float], ...], most: int, shape: str
    ) -> tuple[tuple[float, ...], ...]:
        """A list of at most `most` rows of numbers, each number within its limits; empty where it is missing.

        `shape` says what a row is, for the message: "[from hour, to hour, W]".
        """
        value = self._take(key, [])
        rule = f"must be a list of at most {most} rows {shape}"
        if not isinstance(value, list | tuple) or len(value) > most:
            return self._wrong(key, rule, ())
        for row in value:
            if not isinstance(row, list | tuple) or len(row) != len(limits):
                return self._wrong(key, rule, ())
            for item, (minimum, maximum) in zip(row, limits, strict=True):
                if isinstance(item, bool) or not isinstance(item, int | float):
                    return self._wrong(key, rule, ())
                if not (math.isfinite(item) and minimum <= item <= maximum):
                    return self._wrong(key, f"{rule}, and {item} is not from {minimum:g} to {maximum:g}", ())
        return tuple(tuple(float(item) for item in row) for row in value)

    def table(self, key: str) -> "Fields":
        """The fields of a mapping inside this one."""
        return Fields.of(self._take(key, None), self._at(key), self.problems)

    def tables(self, key: str, most: int) -> tuple["Fields", ...]:
        """The fields of each mapping in a list of at most `most`."""
        value = self._take(key, None)
        if not isinstance(value, list) or len(value) > most:
            return self._wrong(key, f"must be a list of at most {most} tables", ())
        return tuple(
            Fields.of(item, f"{self._at(key)}[{index}]", self.problems) for index, item in enumerate(value)
        )

    def absent(self, key: str) -> bool:
        """Whether the field is missing or null: then it is not read further."""
        if self._source.get(key) is None:
            self._read.add(key)
            return True
        return False

    def close(self, also: tuple[str, ...] = ()) -> None:
        """Report every field that nothing has read: most are spelling mistakes. `also` are known though unread."""
        self._read.update(also)
        self.problems.extend(
            f"{self._at(key)}: is not a field here; known are {', '.join(sorted(self._read))}"
            for key in sorted(set(self._source) - self._read)
        )

    def problem(self, key: str, text: str) -> None:
        """Report a mistake that only the reader of several fields can see."""
        self.problems.append(f"{self._at(key)}: {text}")

    def _take(self, key: str, default: object) -> object:
        self._read.add(key)
        return self._source.get(key, default)

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _wrong(self, key: str, rule: str, harmless: Harmless) -> Harmless:
        value = self._source.get(key)
        found = "is missing; it" if key not in self._source else f"is {_shown(value)}; it"
        self.problems.append(f"{self._at(key)}: {found} {rule}")
        return harmless


def _pair(value: object, largest: float) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = value
    for each in (first, second):
        if not isinstance(each, int | float) or isinstance(each, bool) or not abs(each) <= largest:
            return None
    return float(first), float(second)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kind(value: object) -> str:
    return "nothing" if value is None else _shown(value)
