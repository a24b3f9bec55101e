"""What a daemon orders of its control process besides positions: one closed union, carried out by the control client.

Power W, injection positive; durations are real time.
"""

from dataclasses import dataclass

from devices.limits import PowerRange
from devices.messages.control_messages import DeviceAccess, Mode
from devices.response.fast_response import Activation


@dataclass(frozen=True, slots=True)
class Activate:
    """The node's share of a request from now on, for so long, in place of its share before."""

    activation: Activation
    duration_s: float


@dataclass(frozen=True, slots=True)
class Restrict:
    """What the connection may carry for a while, and afterwards."""

    limits: PowerRange
    reversion: PowerRange
    duration_s: float


@dataclass(frozen=True, slots=True)
class Enter:
    """A mode, which holds until another one is ordered."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Release:
    """Connect a circuit again that a fault has disconnected."""

    circuit: str


@dataclass(frozen=True, slots=True)
class Admit:
    """What holds for devices that somebody said anything of."""

    devices: tuple[DeviceAccess, ...]


@dataclass(frozen=True, slots=True)
class Declare:
    """The cell has declared an emergency, for so long unless it is declared again; 0: it is over."""

    duration_s: float


Order = Activate | Restrict | Enter | Release | Admit | Declare
