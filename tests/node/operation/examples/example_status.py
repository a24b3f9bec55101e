"""A node's status for tests: a home with a battery, all well."""

from devices.image import DerKind
from devices.messages.control_messages import (
    Alarm,
    AlarmCode,
    DeviceReport,
    HealthReport,
    ImageReport,
    Mode,
    Severity,
)
from node.operation.status import NodeStatus

S = 10**9
IMAGE = ImageReport(
    real_ns=99 * S,
    cell_ns=0,
    interval=1005,
    connection_w=-250.5,
    chargeable_wh=1_000.0,
    dischargeable_wh=2_000.0,
    mode=Mode.GRID_SUPPORT,
    wish="position",
    binding="position",
    settled=True,
    devices=(
        DeviceReport("garage", DerKind.BATTERY, 500.0, 500.0, 3_200.0, None),
        DeviceReport("roof", DerKind.PV, None, None, None, None),
    ),
    health=(HealthReport("garage", 21.5, 51.2, 9.8, 0.5, 0.97, 1.0, None, None, None),),
)
ALARM = Alarm(AlarmCode.UNIT_HOT, Severity.CRITICAL, True, "garage", "garage is too hot: 61 C", 0)


def status(**changes: object) -> NodeStatus:
    """A validator of four, connected and active, in interval 1005."""
    fields: dict[str, object] = {
        "name": "ada",
        "version": "0.1.0",
        "real_ns": 100 * S,
        "started_real_ns": 0,
        "loop_real_ns": 99 * S + S // 2,
        "height": 4,
        "interval": 1005,
        "decided_interval": 1004,
        "active": True,
        "read_only": None,
        "validator": True,
        "members": 4,
        "validators": 4,
        "quorum": 3,
        "peers": 3,
        "needed_peers": 2,
        "agreement_s": 0.5,
        "round": 0,
        "prices": (279_775, None),
        "image": IMAGE,
        "alarms": (ALARM,),
        "events": {"block": 4, "equivocation": 1},
        "network": {"frames_in": 12},
        "refused": {"gossip_refused_Malformed": 1},
        "member_versions": {"ben": "0.1.0"},
        "processor_s": 1.5,
        "memory_bytes": 10**8,
        "ledger_bytes": 4_096,
        "disk_free_bytes": 10**10,
    }
    return NodeStatus(**{**fields, **changes})  # type: ignore[arg-type]
