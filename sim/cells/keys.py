"""The founding of a simulated cell: its members' keys, its rules, and how fast its time runs."""

from dataclasses import dataclass
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.genesis import FoundingMember, Genesis, Role, member_id
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules

INTERVAL_S, GATE_LEAD_S, SPEED = 3600, 2700, 1200
"""An hour of cell time plays in three real seconds, three quarters of them between gate and delivery."""
FIRST_INTERVAL = 1000
RETAIL, FEED_IN = 300_000, 40_000
POWER_MW = 10_000_000
CREDIT_LIMIT = 10**18


@dataclass(frozen=True, slots=True)
class Pace:
    """How long intervals and gate leads are (s of cell time), how fast cell time runs, and where the cell begins."""

    interval_s: int
    gate_lead_s: int
    speed: int
    first_interval: int


HOURS = Pace(INTERVAL_S, GATE_LEAD_S, SPEED, FIRST_INTERVAL)
MINUTES = Pace(60, 45, 20, 10_000)
"""A minute plays in three real seconds as well: what takes real time takes the same share of an interval."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of a member."""

    feed: SigningKey
    consensus: SigningKey

    @classmethod
    def of(cls, index: int) -> "Keys":
        """The keys of the member with this index, the same in every world."""
        return cls(
            SigningKey(sha256(b"cluster feed %d" % index).digest()),
            SigningKey(sha256(b"cluster consensus %d" % index).digest()),
        )

    @property
    def public(self) -> bytes:
        """The feed key, by which peers know the member."""
        return self.feed.verify_key.encode()

    @property
    def member(self) -> bytes:
        """The member's id."""
        return member_id(self.public)


def founded(keys: list[Keys], pace: Pace = HOURS, admission_keys: tuple[bytes, ...] = ()) -> Genesis:
    """A cell of prosumers who all vote, on two branches, one of which binds at times."""
    members = (
        MemberRule(each.member, 1 + index % 2, POWER_MW, POWER_MW, CREDIT_LIMIT)
        for index, each in enumerate(keys)
    )
    rules = CellRules(
        interval_s=pace.interval_s,
        gate_lead_s=pace.gate_lead_s,
        currency="EUR",
        branches=(BranchRule("substation"), BranchRule("north", 0), BranchRule("south", 0, 2_000_000)),
        grid=GridRule(),
        tariff=(TariffStep(0, RETAIL, FEED_IN),),
        members=tuple(sorted(members, key=lambda rule: rule.member)),
    )
    roles = int(Role.PROSUMER | Role.VALIDATOR)
    founders = tuple(
        FoundingMember(b"home-%d" % index, each.public, each.consensus.verify_key.encode(), roles)
        for index, each in enumerate(keys)
    )
    return Genesis(b"simulated", pace.first_interval, 2, admission_keys, founders, encode_rules(rules))
