"""What a scenario gives: what it assumed, rows of figures, whether its rules held, and lines to draw."""

from dataclasses import dataclass

from sim.grid.system import Floats

Figure = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one axis: name, x and y of each."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[tuple[str, Floats, Floats], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One run of a scenario. Keys of `assumptions` and of each row carry their unit; all rows have the same keys.

    `checks` are the rules that must hold, by a sentence that says them.
    """

    scenario: str
    title: str
    assumptions: dict[str, Figure]
    rows: tuple[dict[str, Figure], ...]
    checks: dict[str, bool]
    charts: tuple[Chart, ...]

    @property
    def ok(self) -> bool:
        """Whether every rule held."""
        return all(self.checks.values())

    def plain(self) -> dict[str, object]:
        """The result as plain values, without the charts."""
        return {
            "scenario": self.scenario,
            "title": self.title,
            "assumptions": self.assumptions,
            "rows": list(self.rows),
            "checks": self.checks,
            "ok": self.ok,
        }
