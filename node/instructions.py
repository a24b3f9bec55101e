"""Instructions: entries that somebody at this machine wants said in this node's feed. Sans-IO.

Only kinds that an operator, a dso or an owner says by hand pass: a change of membership, a grant, a tariff, a deposit,
a limit, the reading of a branch, who trades for whom. Each is said once, also when the node stopped between saying it
and forgetting that it was asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.feeds.grants import GRANT_KIND
from ledger.limits import ENTRY_BYTES
from ledger.records.changes import CHANGE_KIND
from ledger.records.entries import Entry
from market.payloads import Kind
from node.events import Effect, InstructionTaken, Now, OperatorInstructed, SignEntry

INSTRUCTION_VERSION: Final = 1
INSTRUCTION_KINDS: Final = frozenset(
    {
        GRANT_KIND,
        CHANGE_KIND,
        int(Kind.TARIFF),
        int(Kind.DEPOSIT),
        int(Kind.LIMIT),
        int(Kind.METER),
        int(Kind.SERVICE_TERMS),
        int(Kind.REQUEST),
        int(Kind.WITHDRAWAL),
        int(Kind.ACKNOWLEDGEMENT),
        int(Kind.DEVICE_RIGHTS),
        int(Kind.DEVICE_COMMAND),
        int(Kind.DECLARATION),
        int(Kind.PRIORITY),
        int(Kind.DELEGATION),
        int(Kind.AGGREGATION),
    }
)
INSTRUCTION_BYTES: Final = ENTRY_BYTES - 160
"""What an entry has room for beside its signature, keys and framing."""
REMEMBERED: Final = 1024
"""Instructions remembered as said; more than a directory of them holds."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """An entry to be signed; `interval` of a deposit or a delegation is free and makes two equal ones different."""

    kind: int
    interval: int
    payload: tuple[Value, ...]

    def encode(self) -> bytes:
        """The bytes of its file. Raises ValueError when they would not be read again."""
        data = encode((INSTRUCTION_VERSION, self.kind, self.interval, self.payload))
        try:
            Instruction.decode(data)
        except Malformed as fault:
            raise ValueError(str(fault)) from fault
        return data

    @staticmethod
    def decode(data: bytes) -> "Instruction":
        """The instruction in a file. Raises `Malformed`."""
        match decode(data, max_bytes=INSTRUCTION_BYTES):
            case (int(version), int(kind), int(interval), tuple(payload)) if version == INSTRUCTION_VERSION:
                if kind not in INSTRUCTION_KINDS or interval < 0:
                    raise Malformed(f"an entry of kind {kind} is not said by hand")
                return Instruction(kind, interval, payload)
        raise Malformed("an instruction has a version, a kind, an interval and a payload")


@dataclass(slots=True)
class Instructions:
    """What was said of what was asked."""

    _said: dict[Instruction, None] = field(default_factory=dict)

    @staticmethod
    def after(said: Iterable[Entry]) -> "Instructions":
        """With what our feed says already, as far as it is read again at a start."""
        instructions = Instructions()
        for entry in said:
            if entry.kind in INSTRUCTION_KINDS:
                instructions._remember(Instruction(entry.kind, entry.interval, entry.payload))
        return instructions

    def take(self, asked: OperatorInstructed, now: Now) -> list[Effect]:
        """Say it, unless it was said, and tell that it need not be asked again."""
        instruction = Instruction(asked.kind, asked.interval, asked.payload)
        if instruction in self._said:
            return [InstructionTaken(asked.name)]
        self._remember(instruction)
        entry = SignEntry(asked.kind, asked.interval, now.cell_ns, asked.payload)
        return [entry, InstructionTaken(asked.name)]

    def _remember(self, instruction: Instruction) -> None:
        self._said[instruction] = None
        if len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
