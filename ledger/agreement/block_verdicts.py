"""What is known of the blocks of one height: which were asked about, and what the answer was."""


class BlockVerdicts:
    """Verdicts by block id: deterministic ones for the height, fresh ones for the round they were given in."""

    def __init__(self) -> None:
        self._sound: dict[bytes, bool] = {}
        self._fresh: dict[tuple[int, bytes], bool] = {}
        self._asked: dict[bytes, set[int | None]] = {}

    def record(self, round_: int, block_id: bytes, *, fresh: bool, valid: bool) -> None:
        """Note an answer. What is good as a fresh block is good in every other respect too."""
        if fresh:
            self._fresh[round_, block_id] = valid
        if valid or not fresh:
            self._sound[block_id] = valid

    def is_good(self, round_: int, block_id: bytes, *, fresh: bool) -> bool | None:
        """The verdict, or None while there is none."""
        return self._fresh.get((round_, block_id)) if fresh else self._sound.get(block_id)

    def ask(self, round_: int, block_id: bytes, *, fresh: bool) -> bool:
        """Note a question; False if it was asked before."""
        asked = self._asked.setdefault(block_id, set())
        topic = round_ if fresh else None
        if topic in asked:
            return False
        asked.add(topic)
        return True

    def is_known(self, block_id: bytes) -> bool:
        """Whether this block was ever asked about or requested."""
        return block_id in self._asked

    def note_request(self, block_id: bytes) -> None:
        """Note that a block was requested before there was a question about it."""
        self._asked.setdefault(block_id, set())

    def missing(self) -> list[bytes]:
        """Blocks asked about or requested that have no verdict yet, in the order of the first request."""
        judged = {block_id for _, block_id in self._fresh} | self._sound.keys()
        return [block_id for block_id in self._asked if block_id not in judged]
