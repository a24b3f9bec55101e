"""What a node says of itself at one moment, as one frozen value that pages are made of.

Power in W, energy in Wh, injection positive. Moments in `real_ns` are the machine's monotonic clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devices.messages.control_messages import Alarm, ImageReport


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node at `real_ns`.

    `loop_real_ns` is when the main loop last came round, `height` the last block's, `interval` the one that cell time
    is in, and `decided_interval` the last one that a block covers. `read_only` is why the node signs nothing, or None;
    `active`, whether peers confirmed what it remembers. `needed_peers` is how many must be connected for a quorum with
    this node. `protocol` is the version in force, and `lacks_protocol` one in force or to come that this program does
    not know. `agreement_s` is how long the last height that it decided itself took, None before the first. `prices` are
    the last block's, µ/kWh by branch, None where nothing traded. `image` is the control process's last word, None
    before the first, and `alarms` what is raised. `member_versions` are what members say that they run, by name.
    """

    name: str
    version: str
    real_ns: int
    started_real_ns: int
    loop_real_ns: int
    height: int
    interval: int
    decided_interval: int
    active: bool
    read_only: str | None
    validator: bool
    members: int
    validators: int
    quorum: int
    peers: int
    needed_peers: int
    protocol: int = 1
    lacks_protocol: int | None = None
    agreement_s: float | None = None
    round: int | None = None
    prices: tuple[int | None, ...] = ()
    image: ImageReport | None = None
    alarms: tuple[Alarm, ...] = ()
    events: Mapping[str, int] = field(default_factory=dict)
    network: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    member_versions: Mapping[str, str] = field(default_factory=dict)
    processor_s: float = 0.0
    memory_bytes: int = 0
    ledger_bytes: int = 0
    disk_free_bytes: int = 0

    @property
    def loop_age_s(self) -> float:
        """How long ago the main loop came round, real s."""
        return (self.real_ns - self.loop_real_ns) / 1e9

    @property
    def image_age_s(self) -> float | None:
        """How old the control process's last word is, real s; None before the first."""
        return None if self.image is None else (self.real_ns - self.image.real_ns) / 1e9
