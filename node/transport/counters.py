"""Named counts of what a transport sent, received, dropped and refused."""

from collections.abc import Iterator, Mapping


class Counters(Mapping[str, int]):
    """Counts by name; a name that never happened counts zero and is not listed."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Count something that happened."""
        self._counts[name] = self._counts.get(name, 0) + count

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._counts))

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"Counters({dict(self)})"
