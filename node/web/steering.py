"""Shell: carries out in the daemon what an owner asks for on the page. Who may ask was settled before.

An action is an object with a `name`; the answer is an empty text, or why it was not carried out. Everything takes
effect at once: control hears a new mode or reserve in the same turn, and a paused order is cancelled in the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from devices.control_config import parse_config
from devices.control_messages import Mode
from node.config import Config, control_table
from node.core import NodeCore
from node.events import Now
from node.owner_settings import OwnerSettings


class Steered(Protocol):
    """The daemon's end of the control process."""

    def send_mode(self, mode: Mode) -> None:
        """Enter a mode."""
        ...

    def send_reserve(self, device: str, share: float) -> None:
        """Change the owner's reserve."""
        ...


@dataclass(slots=True)
class Steering:
    """What an owner may change while the daemon runs."""

    config: Config
    core: NodeCore
    control: Steered
    settings: OwnerSettings
    now: Callable[[], Now]

    def begin(self) -> None:
        """What was set before this start holds again."""
        for device, share in self.settings.reserves.items():
            if device in self.batteries:
                self.control.send_reserve(device, share)
        self._pause(self.settings.paused)

    @property
    def batteries(self) -> dict[str, float]:
        """The reserve of each battery that is in force."""
        table = control_table(self.settings.applied_to(self.config), interval_s=900)
        return {each.name: each.reserve for each in parse_config(table).batteries}

    def shown(self) -> dict[str, Any]:
        """The settings, for the page."""
        return {"paused": self.settings.paused, "reserves": self.batteries}

    def carry_out(self, action: dict[str, Any]) -> str:
        """Carry out one action; returns why not, or nothing."""
        match action:
            case {"name": "mode", "mode": str(name)} if name in {mode.value for mode in Mode}:
                self.control.send_mode(Mode(name))
            case {"name": "trading", "paused": bool(paused)}:
                self.settings.paused = paused
                self.settings.save()
                self._pause(paused)
            case {"name": "reserve", "device": str(device), "share": int() | float() as share}:
                if device not in self.batteries:
                    return f"{device!r} is no battery of this node"
                if not 0 <= share <= 1:
                    return "a reserve is a part of the capacity, from 0 to 1"
                self.settings.reserves[device] = float(share)
                self.settings.save()
                self.control.send_reserve(device, float(share))
            case _:
                return "no action that is known here"
        return ""

    def _pause(self, paused: bool) -> None:
        if self.core.trading is not None:
            self.core.trading.pause(paused, self.now())
