"""Faults between a driver and a device on a broker: whatever is lost, late, repeated or invented, nothing is claimed.

The broker is a list here, so that Hypothesis can play it: messages wait, come twice, come in another order, are lost,
or come from before; the device freezes, refuses or lies.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mqtt_bench import AMPERE_W, table
from sunspec_bench import SECOND_NS, config

from devices.broker import device as driver
from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError, Order
from devices.image import DeviceImage
from devices.mqtt.link import Post
from devices.mqtt.topics import number_at

STATUS, COMMAND = "box/status", "box/limit/set"


class PlayedLink:
    """A connection whose messages the test decides on."""

    place = "played:1883"

    def __init__(self, broker: Any, topics: tuple[str, ...], will: Post | None, heard: Any) -> None:
        self._heard = heard
        self.connected = False
        self.gone = False
        self.coming: list[tuple[bytes, bool]] = []
        self.commands: list[str] = []
        self.since_told: list[bytes] = []
        """What the device has said, not retained, since the driver last sent anything or came."""

    def open(self) -> None:
        self.since_told = []
        self.look()
        self.connected = True

    def look(self) -> None:
        if self.gone:
            self.connected = False
            # A broker keeps nothing for whoever is gone but what is retained.
            self.coming = [each for each in self.coming if each[1]]
            raise HardwareError("played: silent")
        for payload, retained in self.coming:
            self._heard(STATUS, payload, retained)
            if not retained:
                self.since_told.append(payload)
        self.coming.clear()

    def put(self, post: Post) -> None:
        self.commands.append(post.payload)
        self.since_told = []

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        return done()

    def close(self) -> None:
        self.connected = False


def says(limit: float, power_w: float) -> bytes:
    return b'{"meter": {"power": %d}, "limit": %d}' % (power_w, limit)


STATUSES = st.builds(says, st.integers(0, 16), st.sampled_from([0, 500, 4000, 11_000]))
GARBAGE = st.sampled_from(
    [b"", b"{}", b"[1]", b'{"meter": {"power": "x"}, "limit": null}', b"\xff", b'{"limit": 6}']
)
MESSAGES = st.tuples(STATUSES | GARBAGE, st.booleans())
ACTIONS = st.one_of(
    st.tuples(st.just("comes"), st.lists(MESSAGES, max_size=3)),
    st.tuples(st.just("order"), st.sampled_from([None, 0.0, -4140.0, -5000.0, -11_040.0])),
    st.tuples(st.just("passes"), st.floats(0.1, 8.0)),
    st.tuples(st.just("gone"), st.booleans()),
    st.tuples(st.just("stalls"), st.tuples(st.lists(MESSAGES, max_size=2), st.floats(0.1, 8.0))),
)


@settings(max_examples=150, deadline=None)
@example([("comes", [(says(6, 0), False)]), ("order", -4140.0)])
@given(st.lists(ACTIONS, max_size=15))
def test_no_setpoint_is_claimed_that_the_device_has_not_said_since_it_was_told(
    actions: list[tuple[str, Any]],
) -> None:
    parsed = config(table(1883, report_s=5)).hardware[0]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "MqttLink", PlayedLink)
        assert parsed.topics is not None
        box = driver.MqttDevice("box", parsed.nameplate, driver.broker_of(parsed), parsed.topics, 0.0)
    link = box._link
    assert isinstance(link, PlayedLink)
    now, order, last_fresh_ns = Instant(10**12, 0), None, 0
    for action, value in actions:
        if action in ("comes", "stalls"):
            messages, seconds = value if action == "stalls" else (value, 0.0)
            # Nothing waits for whoever has not come yet, but what is retained.
            link.coming += [each for each in messages if each[1] or link.connected or action == "comes"]
            last_fresh_ns = now.real_ns if any(not retained for _, retained in messages) else last_fresh_ns
            # A driver that stood still finds messages that have waited for it.
            now = Instant(now.real_ns + round(seconds * SECOND_NS), 0)
        elif action == "order":
            order = None if value is None else Order(value, 0.0, 10.0)
        elif action == "gone":
            link.gone = value
        else:
            now = Instant(now.real_ns + round(value * SECOND_NS), 0)
        try:
            image = box.exchange(order, now).image
        except HardwareError:
            continue
        nothing_is_invented(image, link, order, now.real_ns - last_fresh_ns)


def nothing_is_invented(image: DeviceImage, link: PlayedLink, order: Order | None, silent_ns: int) -> None:
    if silent_ns > 5 * SECOND_NS:
        assert (image.power_w.value, image.setpoint_w.value) == (None, None)
    shown_w = image.setpoint_w.value
    if shown_w is None:
        return
    units = number_at(link.since_told[-1], "limit")
    assert units is not None
    meant = (0.0,) if order is None else (order.power_w, order.reversion_w, 0.0)
    assert shown_w == -AMPERE_W * units or (shown_w in meant and int(-shown_w / AMPERE_W) == units)
    if order is not None and shown_w == order.power_w != 0.0:
        assert link.commands, "the device was told"
