"""Shell: replaces functions of a module or class for a while: to plant bugs, and to share work between nodes."""

from types import TracebackType
from typing import Any


class Patches:
    """What was replaced, so that it can be put back. A context manager; the last replaced is put back first."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any]] = []

    def __len__(self) -> int:
        return len(self._replaced)

    def setattr(self, target: Any, name: str, value: Any) -> None:
        """Replace an attribute of a module or a class until the end."""
        own = vars(target)
        self._replaced.append((target, name, own[name] if name in own else getattr(target, name)))
        setattr(target, name, value)

    def undo(self) -> None:
        """Put everything back."""
        while self._replaced:
            target, name, value = self._replaced.pop()
            setattr(target, name, value)

    def __enter__(self) -> "Patches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()
