"""A node and the versions of the protocol: it says which it knows, warns of one that it lacks, and stops before it.

A node never guesses at rules that its program does not have: before the first block under such a version it falls
silent, for good. Sans-IO: effects out.
"""

from dataclasses import dataclass, field

from ledger.chain.application import State
from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.membership.protocol import Switch
from ledger.records.protocols import SUPPORT_KIND, known, support_payload
from node.agreement.steps import Halt
from node.events import Effect, Now, Report, SignEntry

SAY_AGAIN_BLOCKS = 8
"""Blocks after which an announcement that no block has taken is said again."""


@dataclass(slots=True)
class Protocols:
    """What one program knows. `member` says so in its feed; b"" says nothing."""

    member: bytes = b""
    known: tuple[int, ...] = field(default_factory=known)
    _said_at: int | None = None
    _told: tuple[Switch, bool] | None = None

    def lacking(self, membership: Membership) -> str | None:
        """Why this program cannot go on with the block that this membership judges; None when it can."""
        version = membership.protocol.version
        if version in self.known:
            return None
        mine = ", ".join(map(str, self.known))
        return (
            f"the cell speaks protocol {version} from here on and this program knows {mine}: upgrade it"
            " (`wattswarm node upgrade`), and start the node again"
        )

    def lacks(self, membership: Membership) -> int | None:
        """A version in force, agreed or proposed that this program does not know; None where it knows all."""
        protocol = membership.protocol
        switches = (each.version for each in (protocol.agreed, protocol.proposed) if each is not None)
        return next((each for each in (protocol.version, *switches) if each not in self.known), None)

    def decided(self, tip: Tip[State], now: Now, *, may_speak: bool) -> list[Effect | Halt]:
        """What follows from a block: we stop, or we say what is new, and what we know if we may speak."""
        lacks = self.lacking(tip.membership)
        if lacks is not None:
            return [Halt(lacks)]
        return [*self.news(tip), *(self.announce(tip, now) if may_speak else [])]

    def announce(self, tip: Tip[State], now: Now) -> list[Effect]:
        """Say which versions we know, where the ledger has something else of us. Only while we may speak."""
        member = tip.membership.by_id(self.member)
        if member is None or member.frozen_at is not None:
            return []
        if tip.membership.protocol.known_to(self.member) == self.known:
            return []
        if self._said_at is not None and tip.height < self._said_at + SAY_AGAIN_BLOCKS:
            return []
        self._said_at = tip.height
        return [SignEntry(SUPPORT_KIND, tip.last_interval, now.cell_ns, support_payload(self.known))]

    def news(self, tip: Tip[State]) -> list[Effect]:
        """What the tip's block brought: a switch that is proposed, agreed or refused, each once."""
        protocol = tip.membership.protocol
        effects: list[Effect] = []
        refused = protocol.refused
        if refused is not None and refused.at == tip.height:
            fields: dict[str, object] = {"reason": refused.reason.name.lower()}
            counted = {"supporters": refused.supporters, "validators": refused.validators}
            effects.append(Report("protocol_refused", _of(refused.switch) | fields | counted))
        switch = protocol.agreed or protocol.proposed
        agreed = switch is not None and protocol.agreed is not None
        if switch is None or self._told == (switch, agreed):
            return effects
        self._told = (switch, agreed)
        effects.append(Report("protocol_switch", _of(switch) | {"agreed": agreed}))
        if switch.version not in self.known:
            effects.append(Report("upgrade_needed", _of(switch)))
        return effects


def _of(switch: Switch) -> dict[str, object]:
    return {"change": switch.number, "version": switch.version, "height": switch.height}
