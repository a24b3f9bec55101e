"""What this validator itself signed, or was about to, in one height: its place in the algorithm, and its lock."""

from collections.abc import Callable, Iterable

from ledger.records.votes import NO_ROUND, Proposal, Step, Vote


class OwnCasts:
    """Own proposals and votes by round and step, at most one each."""

    def __init__(self, casts: Iterable[Proposal | Vote] = ()) -> None:
        self._casts = {(cast.round, cast.step): cast for cast in casts}

    def add(self, cast: Proposal | Vote) -> None:
        """Note what is about to be signed."""
        self._casts[cast.round, cast.step] = cast

    def has(self, round_: int, step: Step) -> bool:
        """Whether something was cast in this round and step."""
        return (round_, step) in self._casts

    def newest(self) -> Proposal | Vote | None:
        """The last one in the order of rounds and steps."""
        return self._casts[max(self._casts)] if self._casts else None

    def lock(self) -> tuple[bytes | None, int]:
        """Locked block and round: those of the newest precommit for a block (lines 38 to 40 set both at once)."""
        for (round_, step), cast in sorted(self._casts.items(), reverse=True):
            if step is Step.PRECOMMIT and cast.block_id is not None:
                return cast.block_id, round_
        return None, NO_ROUND

    def all(self) -> list[Proposal | Vote]:
        """All that is kept."""
        return list(self._casts.values())

    def forget_rounds(self, keeps: Callable[[int], bool]) -> None:
        """Drop the rounds for which ``keeps`` is false."""
        self._casts = {key: cast for key, cast in self._casts.items() if keeps(key[0])}
