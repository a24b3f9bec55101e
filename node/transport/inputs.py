"""What network and control process say, as inputs of the core."""

from devices.messages.control_messages import Alarm, Attached, ImageReport, MeterRecord, Upward
from node import events as ev
from node.transport.interface import Frame, Gossip, PeerDown, PeerUp, TransportEvent


def input_of(event: TransportEvent) -> ev.Input:
    """What the network says, as an input."""
    match event:
        case Gossip(topic, author, data):
            return ev.GossipReceived(topic, author, data)
        case Frame(peer, data):
            return ev.FrameReceived(peer, data)
        case PeerUp(peer):
            return ev.PeerConnected(peer)
        case PeerDown(peer):
            return ev.PeerLost(peer)


def input_of_devices(message: Upward) -> ev.Input:
    """What the control process says, as an input."""
    match message:
        case Attached():
            return ev.ControlAttached(message)
        case ImageReport():
            return ev.DevicesMeasured(message)
        case MeterRecord():
            return ev.MeterRead(message)
        case Alarm():
            return ev.AlarmChanged(message)
