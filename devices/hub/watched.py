"""What an owner tells the hub of a circuit or socket, and what its device says of itself when plugged in."""

from dataclasses import dataclass

from devices.fields import Fields
from devices.hub.recognition import DeviceKind, UsbIdentity, UsbProduct
from devices.models.dc_socket import DcSocket
from devices.models.load_circuit import LoadCircuit
from devices.models.model import AnyModel

LEAST_STANDBY_W = 0.5


@dataclass(frozen=True, slots=True)
class Watched:
    """A circuit or socket: what its device said when plugged in (None: it did not), what the owner knows it is,
    its standby power, whether it may be put into standby, and whether it is DC.
    """

    name: str
    identity: UsbIdentity | None = None
    told: DeviceKind | None = None
    standby_w: float = 1.0
    may_stand_by: bool = False
    direct_current: bool = False


def parse_watched(fields: Fields, name: str, model: AnyModel) -> Watched | None:
    """Read `device` (what the owner knows it is) and `may_stand_by` of a circuit or socket; None for other types."""
    if not isinstance(model, DcSocket | LoadCircuit):
        return None
    kinds = tuple(kind.value for kind in DeviceKind)
    told = None if fields.absent("device") else DeviceKind(fields.choice("device", kinds))
    return Watched(
        name=name,
        identity=_identity(model) if isinstance(model, DcSocket) else None,
        told=told,
        standby_w=max(LEAST_STANDBY_W, _standby_w(model)),
        may_stand_by=fields.flag("may_stand_by", False),
        direct_current=isinstance(model, DcSocket),
    )


def _identity(socket: DcSocket) -> UsbIdentity:
    """What a modelled socket's device would enumerate as: its largest request, and whether it has a battery."""
    most_w = min(socket.maximum_w, socket.use.most_w + socket.charge_w)
    return UsbIdentity(UsbProduct.NONE, most_w, battery=socket.device_wh > 0)


def _standby_w(model: DcSocket | LoadCircuit) -> float:
    """Power at the mains with the device in standby."""
    return model.standby_w / model.efficiency + (model.idle_w if isinstance(model, DcSocket) else 0.0)
