"""What an owner sets holds at once, over a restart, and for trading that begins only later."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from served_node import saved_cell

from devices.messages.control_messages import Mode
from devices.response.fast_response import Arming
from market.bidders.optimising import OptimisingBidder
from market.bidding import SimpleBidder
from node.configuration.bidding_section import BiddingSection
from node.configuration.config import Config, load_config
from node.configuration.owner_settings import SETTINGS_FILE, OwnerSettings
from node.configuration.requested_section import RequestedSection
from node.core.core import NodeCore
from node.events import Now
from node.trading.trading import Trading
from node.web.steering import Steering

NOW = Now(0, 0, 1)


@dataclass(slots=True)
class Told:
    """What control was told."""

    armed: list[tuple[str, float, float]] = field(default_factory=list)
    reserves: list[tuple[str, float]] = field(default_factory=list)

    def send_mode(self, mode: Mode) -> None:
        """Enter a mode."""

    def send_reserve(self, device: str, share: float) -> None:
        self.reserves.append((device, share))

    def arm(self, arming: Arming) -> None:
        self.armed.append((arming.curve.name, arming.up_w, arming.down_w))


@dataclass(slots=True)
class Owned:
    """A node of a cell with a battery and a service, and what its owner may do."""

    core: NodeCore
    config: Config
    told: Told = field(default_factory=Told)

    def started(self) -> Steering:
        """As after a start of the daemon."""
        settings = OwnerSettings.load(self.config.directory)
        steering = Steering(self.config, self.core, self.told, settings, lambda: NOW)
        steering.begin()
        return steering

    @property
    def trading(self) -> Trading:
        """Its trading, which is there."""
        assert self.core.trading is not None
        return self.core.trading


@pytest.fixture
def owned(tmp_path: Path) -> Owned:
    cluster = saved_cell(tmp_path / "home-0")
    config = load_config(tmp_path / "home-0" / "node.toml")
    service = RequestedSection(service="village-flex", up_w=2000.0, down_w=1000.0)
    batteries = tuple(each for each in config.site.ders if each["kind"] == "battery")
    changed = {"requested_services": (service,), "profile": None, "ders": batteries}
    site = config.site.model_copy(update=changed)
    return Owned(cluster.nodes[0].core, config.model_copy(update={"site": site}))


def prefer(goal: str, floor: float | None = None, cap: float | None = None) -> dict[str, Any]:
    return {"name": "preferences", "goal": goal, "price_floor": floor, "price_cap": cap}


def test_a_goal_that_looks_ahead_brings_the_bidder_that_can_and_the_open_order_is_given_again(
    owned: Owned,
) -> None:
    steering, trading = owned.started(), owned.trading
    gate = trading.calendar.next_gate(NOW.cell_ns)
    trading.bid_for = gate
    assert steering.carry_out(prefer("independent", 0.05, 0.4)) == ""
    assert isinstance(trading.bidder, OptimisingBidder)
    assert trading.expectations is not None
    assert trading.bid_for == -1
    shown = steering.shown()
    assert (shown["goal"], shown["price_floor"], shown["price_cap"]) == ("independent", 0.05, 0.4)
    assert steering.carry_out(prefer("cheapest")) == ""
    assert isinstance(trading.bidder, SimpleBidder)


def test_a_goal_that_cannot_be_is_refused_with_the_reason_and_nothing_changes(owned: Owned) -> None:
    steering = owned.started()
    before = owned.trading.bidder
    assert "needs carbon" in steering.carry_out(prefer("greenest"))
    assert "price_cap" in steering.carry_out(prefer("cheapest", cap=-1.0))
    assert owned.trading.bidder is before
    assert not (owned.config.directory / SETTINGS_FILE).exists()
    assert "needs carbon" in steering.shown()["goals"]["greenest"]


def test_a_service_is_disarmed_at_once_and_never_gets_more_than_is_configured(owned: Owned) -> None:
    steering = owned.started()
    offers = owned.core.serving.offers
    offers.offered = ()
    act = {"name": "arming", "service": "village-flex", "up_w": 500.0, "down_w": 0.0}
    assert steering.carry_out(act) == ""
    assert owned.told.armed == [("village-flex", 500.0, 0.0)]
    assert steering.shown()["services"][0]["up_w"] == 500.0
    assert "0 to 2000 W" in steering.carry_out({**act, "up_w": 2001.0})
    assert "there are: village-flex" in steering.carry_out({**act, "service": "other"})
    assert len(owned.told.armed) == 1


def test_what_was_set_holds_after_a_restart(owned: Owned) -> None:
    steering = owned.started()
    for action in (
        prefer("independent"),
        {"name": "arming", "service": "village-flex", "up_w": 0.0, "down_w": 0.0},
        {"name": "trading", "paused": True},
        {"name": "privacy", "private": True},
        {"name": "reserve", "device": "battery", "share": 0.4},
    ):
        assert steering.carry_out(action) == ""
    owned.trading.paused, owned.trading.bidder, owned.told = False, SimpleBidder(), Told()
    again = owned.started()
    assert owned.trading.paused
    assert isinstance(owned.trading.bidder, OptimisingBidder)
    assert (owned.told.armed, owned.told.reserves) == ([("village-flex", 0.0, 0.0)], [("battery", 0.4)])
    assert again.shown()["private"] is True


def test_a_pause_holds_for_trading_that_begins_later(owned: Owned) -> None:
    """A node that joins late, or whose member is admitted again, has no trading yet when its owner pauses."""
    later, owned.core.trading = owned.trading, None
    owned.core.begin_trading = lambda tip, now: later
    steering = owned.started()
    assert steering.carry_out({"name": "trading", "paused": True}) == ""
    assert not later.paused
    owned.core._begin_or_end_trading(NOW)
    assert owned.core.trading is later
    assert later.paused


def test_a_wish_that_the_configuration_no_longer_allows_is_left_out(owned: Owned) -> None:
    carbon = BiddingSection(strategy="optimising", carbon=(100.0,) * 24)
    owned.config = owned.config.model_copy(update={"bidding": carbon})
    assert owned.started().carry_out(prefer("greenest")) == ""
    owned.config = owned.config.model_copy(update={"bidding": BiddingSection()})
    assert owned.started().shown()["goal"] == "cheapest"
