"""Where a node shows its state to its owner: configuration only, no I/O."""

import re
import zlib
from dataclasses import dataclass

from devices.fields import Fields
from devices.mqtt.access import Access, parse_access
from devices.mqtt.topics import MQTT_PORT


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """Where a node publishes its state; `every_s` is the pause between states, `node` the name that it shows."""

    node: str
    host: str
    port: int
    access: Access
    discovery_prefix: str
    every_s: float

    @property
    def root(self) -> str:
        """What all topics of the node begin with."""
        return f"wattswarm/{plain(self.node)}"

    @property
    def presence(self) -> str:
        """The topic on which it says that it is there."""
        return f"{self.root}/availability"


def parse_publishing(fields: Fields) -> PublishConfig:
    """Read `site.home_assistant`; mistakes are collected in the fields."""
    made = PublishConfig(
        node=fields.text("node", 64),
        host=fields.text("host", 253, "127.0.0.1"),
        port=fields.integer("port", 1, 65_535, MQTT_PORT),
        access=parse_access(fields),
        discovery_prefix=fields.text("discovery_prefix", 64, "homeassistant"),
        every_s=fields.number("every_s", 1.0, 300.0, 5.0),
    )
    if re.fullmatch(r"[A-Za-z0-9_-]+", made.discovery_prefix) is None:
        fields.problem("discovery_prefix", "may have letters, digits, _ and - only")
    fields.close()
    return made


def plain(name: str) -> str:
    """A name as topics and ids may have it, told apart by a checksum where a letter was replaced."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return kept if kept == name else f"{kept}-{zlib.crc32(name.encode()):08x}"
