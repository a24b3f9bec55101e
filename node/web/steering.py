"""Shell: carries out in the daemon what an owner asks for on the page. Who may ask was settled before.

An action is an object with a `name`; the answer is an empty text, or why it was not carried out. Everything takes
effect at once: control hears a new mode or reserve in the same turn, and a paused order is cancelled in the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from devices.configuration.control_config import parse_config
from devices.messages.control_messages import Mode
from devices.response.fast_response import Arming
from market.bidders.expectations import Expectations
from market.units import MW_PER_W, S_PER_DAY
from node.configuration.bidding import configured_bidder, configured_expectations
from node.configuration.bidding_section import GOALS, BiddingSection
from node.configuration.config import Config, armings, control_table
from node.configuration.owner_settings import OwnerSettings, Wanted
from node.core.core import NodeCore
from node.core.offers import Offer
from node.events import Now
from node.trading.trading import Trading


class Steered(Protocol):
    """The daemon's end of the control process."""

    def send_mode(self, mode: Mode) -> None:
        """Enter a mode."""
        ...

    def send_reserve(self, device: str, share: float) -> None:
        """Change the owner's reserve."""
        ...

    def arm(self, arming: Arming) -> None:
        """Keep a service armed."""
        ...


@dataclass(slots=True)
class Steering:
    """What an owner may change while the daemon runs; `look` has it look for instructions at once."""

    config: Config
    core: NodeCore
    control: Steered
    settings: OwnerSettings
    now: Callable[[], Now]
    look: Callable[[], None] = lambda: None
    _prepared: Expectations | None = None

    def begin(self) -> None:
        """What was set before this start holds again, also for trading that begins only later."""
        for device, share in self.settings.reserves.items():
            if device in self.batteries:
                self.control.send_reserve(device, share)
        for name in self.settings.services:
            self._arm(name)
        begin_trading = self.core.begin_trading
        if begin_trading is not None:
            self.core.begin_trading = lambda tip, now: self._as_set(begin_trading(tip, now), now)
        self._as_set(self.core.trading, self.now())

    @property
    def batteries(self) -> dict[str, float]:
        """The reserve of each battery that is in force."""
        table = control_table(self.settings.applied_to(self.config), interval_s=900)
        return {each.name: each.reserve for each in parse_config(table).batteries}

    @property
    def bidding(self) -> BiddingSection:
        """How the node bids: as configured, and as the owner wants where that can be."""
        wanted = self.settings.wanted
        return (
            self.config.bidding if wanted is None or _why_not(self.config, wanted) else self._section(wanted)
        )

    def shown(self) -> dict[str, Any]:
        """The settings, for the page."""
        bidding = self.bidding
        return {
            "paused": self.settings.paused,
            "reserves": self.batteries,
            "goal": bidding.goal,
            "price_floor": bidding.price_floor,
            "price_cap": bidding.price_cap,
            "goals": {goal: _why_not(self.config, Wanted(goal)) for goal in GOALS},
            "services": [
                {
                    "name": each.curve.name,
                    "up_w": self._armed(each).up_w,
                    "down_w": self._armed(each).down_w,
                    "most_up_w": each.up_w,
                    "most_down_w": each.down_w,
                }
                for each in armings(self.config)
            ],
            "private": self.settings.private,
        }

    def carry_out(self, action: dict[str, Any]) -> str:
        """Carry out one action; returns why not, or nothing. Raises OSError where a setting cannot be kept."""
        match action:
            case {"name": "mode", "mode": str(name)} if name in {mode.value for mode in Mode}:
                self.control.send_mode(Mode(name))
            case {"name": "trading", "paused": bool(paused)}:
                self.settings.paused = paused
                self.settings.save()
                self._pause(paused)
            case {"name": "reserve", "device": str(device), "share": int() | float() as share}:
                return self._reserve(device, share)
            case {
                "name": "preferences",
                "goal": str(goal),
                "price_floor": (int() | float() | None) as floor,
                "price_cap": (int() | float() | None) as cap,
            }:
                return self._prefer(Wanted(goal, floor, cap))
            case {
                "name": "arming",
                "service": str(service),
                "up_w": int() | float() as up_w,
                "down_w": int() | float() as down_w,
            }:
                return self._set_arming(service, up_w, down_w)
            case {"name": "privacy", "private": bool(private)}:
                self.settings.private = private
                self.settings.save()
            case {"name": "look"}:
                self.look()
            case _:
                return "no action that is known here"
        return ""

    def needs_forecasts(self, action: dict[str, Any]) -> bool:
        """Whether an action is quicker carried out after `prepare`."""
        trading = self.core.trading
        looks_ahead = action.get("name") == "preferences" and action.get("goal") != "cheapest"
        return looks_ahead and self._prepared is None and trading is not None and trading.expectations is None

    def prepare(self) -> None:
        """Learn from the past what a bidder that looks ahead expects; may run in a thread of its own."""
        trading = self.core.trading
        if trading is not None:
            self._prepared = self._expectations(
                trading, self.config.bidding.preferring("independent", None, None)
            )

    def _reserve(self, device: str, share: float) -> str:
        if device not in self.batteries:
            return f"{device!r} is no battery of this node"
        if not 0 <= share <= 1:
            return "a reserve is a part of the capacity, from 0 to 1"
        self.settings.reserves[device] = float(share)
        self.settings.save()
        self.control.send_reserve(device, float(share))
        return ""

    def _prefer(self, wanted: Wanted) -> str:
        if fault := _why_not(self.config, wanted):
            return fault
        self.settings.wanted = wanted
        self.settings.save()
        if self.core.trading is not None:
            self._give_goal(self.core.trading)
            self.core.trading.bid_again(self.now())
        return ""

    def _set_arming(self, service: str, up_w: float, down_w: float) -> str:
        known = {each.curve.name: each for each in armings(self.config)}
        if service not in known:
            names = ", ".join(sorted(known)) or "none"
            return f"{service!r} is no service that is configured here; there are: {names}"
        most = known[service]
        if not (0 <= up_w <= most.up_w and 0 <= down_w <= most.down_w):
            return f"{service} may use 0 to {most.up_w:g} W up and 0 to {most.down_w:g} W down, as configured"
        self.settings.services[service] = (float(up_w), float(down_w))
        self.settings.save()
        self._arm(service)
        return ""

    def _arm(self, service: str) -> None:
        """Tell control and cell what is armed of a service now."""
        for each in armings(self.config):
            if each.curve.name == service:
                armed = self._armed(each)
                self.control.arm(armed)
                offer = Offer(service.encode(), round(armed.up_w * MW_PER_W), round(armed.down_w * MW_PER_W))
                self.core.serving.offers.change(offer)

    def _armed(self, configured: Arming) -> Arming:
        """What is armed of a service: what the owner set, and never more than is configured."""
        set_ = self.settings.services.get(configured.curve.name, (configured.up_w, configured.down_w))
        return replace(configured, up_w=min(configured.up_w, set_[0]), down_w=min(configured.down_w, set_[1]))

    def _as_set(self, trading: Trading | None, now: Now) -> Trading | None:
        """Trading that begins, as the owner has set it."""
        if trading is not None:
            if self.settings.wanted is not None:
                self._give_goal(trading)
            trading.pause(self.settings.paused, now)
        return trading

    def _give_goal(self, trading: Trading) -> None:
        """The bidder that the owner wants; what was learned for one that looks ahead stays."""
        section, season = self.bidding, S_PER_DAY // trading.rules.interval_s
        trading.bidder = configured_bidder(section, season)
        if trading.expectations is None:
            self._prepared, prepared = None, self._prepared
            trading.expectations = prepared or self._expectations(trading, section)

    def _expectations(self, trading: Trading, section: BiddingSection) -> Expectations | None:
        as_wanted = self.config.model_copy(update={"bidding": section})
        season = S_PER_DAY // trading.rules.interval_s
        return configured_expectations(as_wanted, trading.rules, season, self.now())

    def _section(self, wanted: Wanted) -> BiddingSection:
        return wanted.of(self.config.bidding)

    def _pause(self, paused: bool) -> None:
        if self.core.trading is not None:
            self.core.trading.pause(paused, self.now())


def _why_not(config: Config, wanted: Wanted) -> str:
    """Why the owner's wish cannot be, empty if it can."""
    try:
        wanted.of(config.bidding)
    except ValueError as fault:
        return str(fault)
    return ""
