"""What holds for the devices of one node by the word of their owner, or of who has the right. A core, immutable."""

from dataclasses import dataclass

from devices.messages.control_messages import DeviceAccess


@dataclass(frozen=True, slots=True)
class AccessList:
    """The devices of which anything was said."""

    devices: tuple[DeviceAccess, ...] = ()

    @property
    def priorities(self) -> dict[str, int]:
        """The rank of loads whose tier was said, by name."""
        return {each.name: each.priority for each in self.devices if each.priority is not None}

    @property
    def private(self) -> frozenset[str]:
        """The devices that no service of the dso may use."""
        return frozenset(each.name for each in self.devices if not each.dso)
