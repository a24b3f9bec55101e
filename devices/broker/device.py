"""Shell: a device on an MQTT broker: read from the topics it speaks on, told on its command topic.

What it holds is only ever what it says itself: a command that the broker took has not reached the device. W, injection
positive.
"""

from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.configuration.hardware_config import HardwareConfig
from devices.der import Nameplate
from devices.drivers.hardware import Exchanged, HardwareError, Order
from devices.image import DerKind, DeviceImage, Quality, Reading
from devices.limits import PowerRange
from devices.mqtt.link import Broker, MqttLink, Post
from devices.mqtt.topics import DeviceTopics, Source, command, held_w, means, number_at, text_at, told

REPEAT_NS = 1_000_000_000
"""A device that does not hold what it was told is told again, and not more often than this."""
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Heard:
    payload: bytes
    real_ns: int
    retained: bool
    count: int


class MqttDevice:
    """One device as `devices.drivers.hardware.Hardware`.

    Its last will is the command for `reversion_w`: the broker gives it to the device when this process dies or hangs.
    """

    def __init__(
        self, name: str, nameplate: Nameplate, broker: Broker, topics: DeviceTopics, reversion_w: float
    ) -> None:
        self._name = name
        self._nameplate = nameplate
        self._topics = topics
        self._timeout_s = broker.timeout_s
        self._latest: dict[str, _Heard] = {}
        self._around = 0
        self._count = self._count_sent = 0
        self._sent: tuple[str, int] | None = None
        self._reversion_w = reversion_w
        will = None if topics.setpoint is None else self._post(self._text(reversion_w))
        self._link = MqttLink(broker, topics.heard, will, self._hear)

    def exchange(self, order: Order | None, now: Instant) -> Exchanged:
        """Tell the device if it does not hold its order yet, and read what it has said. Raises HardwareError."""
        # What comes in now may have lain in the socket since the last look: it is taken to be as old as that.
        if not self._link.connected:
            self._latest.clear()
            self._sent = None
            self._around = now.real_ns
            self._link.open()
        self._link.look()
        if order is not None and self._tell(order, now):
            self._link.wait(lambda: self._holds(order.power_w), self._timeout_s)
        self._around = now.real_ns
        self._must_be_there()
        return Exchanged(self._image(order, now))

    def close(self) -> None:
        """Drop the connection: the broker then tells the device its reversion value."""
        self._link.close()

    def _tell(self, order: Order, now: Instant) -> bool:
        """Send the order where the device does not hold it; whether anything was sent."""
        text = self._text(order.power_w)
        if self._sent is not None and self._sent[0] == text:
            # Who holds it without having been told may hold it for somebody else, and not for long.
            recently = now.real_ns - self._sent[1] < REPEAT_NS
            if self._holds(order.power_w) or recently:
                return False
        self._link.put(self._post(text))
        self._count_sent = self._count
        self._sent = (text, now.real_ns)
        return True

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        self._count += 1
        self._latest[topic] = _Heard(payload, self._around, retained, self._count)

    def _text(self, power_w: float) -> str:
        assert self._topics.setpoint is not None
        return told(self._topics.setpoint, power_w, self._nameplate.minimum_w)

    def _post(self, text: str) -> Post:
        assert self._topics.setpoint is not None
        return Post(self._topics.setpoint.command_topic, command(self._topics.setpoint, text))

    def _holds(self, power_w: float) -> bool:
        said = self._said()
        setpoint = self._topics.setpoint
        return said is not None and setpoint is not None and means(setpoint, said, self._text(power_w))

    def _said(self) -> bytes | None:
        """What the device itself has said of its setpoint since it was told last; None while it has not.

        What lay at the broker before we came may be older than the device's last restart.
        """
        heard = None if self._topics.setpoint is None else self._latest.get(self._topics.setpoint.held.topic)
        if heard is None or heard.retained or (self._sent is not None and heard.count <= self._count_sent):
            return None
        return heard.payload

    def _must_be_there(self) -> None:
        topic = self._topics.availability
        heard = None if topic is None else self._latest.get(topic)
        if heard is not None and text_at(heard.payload, "") != self._topics.online:
            raise HardwareError(f"{self._link.place}: {self._name} says on {topic} that it is not there")

    def _image(self, order: Order | None, now: Instant) -> DeviceImage:
        plate, topics = self._nameplate, self._topics
        power_w = self._reading(topics.power, topics.power_unit_w, now)
        charge = self._charge(now)
        stored = charge.value is not None and plate.capacity_wh is not None
        flexible = plate.kind is DerKind.FLEXIBLE
        return DeviceImage(
            name=self._name,
            kind=plate.kind,
            power_w=power_w,
            setpoint_w=self._setpoint(order, power_w, now),
            stored_wh=Reading.of((charge.value or 0.0) * (plate.capacity_wh or 0.0), now.real_ns)
            if stored
            else Reading.missing(now.real_ns),
            state_of_charge=charge,
            available_w=Reading.missing(now.real_ns),
            counter=None,
            # What takes a limit can be put off: it wants all that it may draw, and needs none of it now.
            possible=PowerRange(plate.minimum_w, 0.0) if flexible else self._possible(charge),
        )

    def _possible(self, charge: Reading) -> PowerRange | None:
        unknown = self._nameplate.kind is DerKind.BATTERY and charge.value is None
        return PowerRange(self._nameplate.minimum_w, 0.0) if unknown else None

    def _charge(self, now: Instant) -> Reading:
        if self._topics.charge is None:
            return Reading.missing(now.real_ns)
        percent = self._reading(self._topics.charge, 1.0, now)
        if percent.value is None:
            return percent
        if not 0 <= percent.value <= 100:
            return Reading(None, now.real_ns, Quality.INVALID)
        return Reading.of(percent.value / 100, now.real_ns)

    def _setpoint(self, order: Order | None, power_w: Reading, now: Instant) -> Reading:
        """What the device says it holds, for as long as it is heard at all: many say it only when it changes.

        A number that was rounded for the device is shown as what was meant.
        """
        setpoint, said = self._topics.setpoint, self._said()
        if setpoint is None or said is None or power_w.value is None:
            return Reading.missing(now.real_ns)
        meant = (
            (self._reversion_w,) if order is None else (order.power_w, order.reversion_w, self._reversion_w)
        )
        value = next(
            (each for each in meant if self._holds(each)),
            held_w(setpoint, said, self._nameplate.minimum_w),
        )
        return (
            Reading(None, now.real_ns, Quality.INVALID) if value is None else Reading.of(value, now.real_ns)
        )

    def _reading(self, source: Source, unit: float, now: Instant) -> Reading:
        """A measured value; one that lay at the broker before we came may be of any age, and is none."""
        heard = self._latest.get(source.topic)
        if heard is None or heard.retained:
            return Reading.missing(now.real_ns)
        if now.real_ns - heard.real_ns > self._topics.report_s * NS_PER_S:
            return Reading.missing(now.real_ns)
        value = number_at(heard.payload, source.path)
        if value is None:
            return Reading(None, now.real_ns, Quality.INVALID)
        return Reading.of(0.0 + value * unit, now.real_ns)


def broker_of(config: HardwareConfig) -> Broker:
    """The broker that a device's configuration names."""
    assert config.topics is not None
    timeout_s = config.timeout_ms / 1000
    return Broker(config.host, config.port, timeout_s, config.topics.access)


def every_topic(broker: Broker, topics: DeviceTopics) -> dict[str, str]:
    """What is said on a device's topics, after listening for as long as it may be silent. Raises HardwareError.

    Nothing is commanded, and there is no last will.
    """
    heard: dict[str, str] = {}

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        text = payload[:200].decode("utf-8", "replace")
        heard[topic] = f"{text} (retained, of unknown age)" if retained else text

    link = MqttLink(broker, topics.heard, None, hear)
    try:
        link.open()
        link.wait(lambda: len(heard) == len(topics.heard), topics.report_s)
    finally:
        link.close()
    return {topic: heard.get(topic, "nothing was said") for topic in topics.heard}
