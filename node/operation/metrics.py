"""The metrics of a node in Prometheus' text format: one list of them, from which the text is made.

`docs/operation.md` has the same list; the Grafana dashboard and the alert rules use no other names.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from devices.messages.control_messages import DeviceReport, HealthReport, Mode, Severity
from node.operation.status import NodeStatus

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, in the order of the metric's, and the value."""


@dataclass(frozen=True, slots=True)
class NodeMetric:
    """One metric: its name as scraped (a counter's ends in `_total`), its labels, and where its samples come from."""

    name: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    text: str
    samples: Callable[[NodeStatus], Iterable[Sample]]


def metrics_text(status: NodeStatus) -> bytes:
    """What `/metrics` answers."""
    return generate_latest(_Families(status))


class _Families(Collector):
    """The list for one status, as the library wants it."""

    def __init__(self, status: NodeStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        for metric in METRICS:
            family = (
                GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)
                if metric.kind == "gauge"
                else CounterMetricFamily(metric.name, metric.text, labels=metric.labels)
            )
            for labels, value in metric.samples(self._status):
                family.add_metric(list(labels), value)
            yield family


def _one(read: Callable[[NodeStatus], float | None]) -> Callable[[NodeStatus], Iterable[Sample]]:
    """A metric without labels; no sample where there is no value."""

    def samples(status: NodeStatus) -> Iterator[Sample]:
        value = read(status)
        if value is not None:
            yield (), float(value)

    return samples


def _of_image(name: str) -> Callable[[NodeStatus], Iterable[Sample]]:
    return _one(lambda status: None if status.image is None else getattr(status.image, name))


def _devices(read: Callable[[DeviceReport], float | None]) -> Callable[[NodeStatus], Iterable[Sample]]:
    def samples(status: NodeStatus) -> Iterator[Sample]:
        for device in () if status.image is None else status.image.devices:
            value = read(device)
            if value is not None:
                yield (device.name, device.kind.value), value

    return samples


def _units(read: Callable[[HealthReport], float | None]) -> Callable[[NodeStatus], Iterable[Sample]]:
    def samples(status: NodeStatus) -> Iterator[Sample]:
        for unit in () if status.image is None else status.image.health:
            value = read(unit)
            if value is not None:
                yield (unit.name,), value

    return samples


def _prices(status: NodeStatus) -> Iterator[Sample]:
    for branch, price in enumerate(status.prices):
        if price is not None:
            yield (str(branch),), price / 1e6


def _mode(status: NodeStatus) -> Iterator[Sample]:
    if status.image is not None:
        for mode in Mode:
            yield (mode.value,), float(mode is status.image.mode)


def _alarms(status: NodeStatus) -> Iterator[Sample]:
    for severity in Severity:
        yield (severity.value,), float(sum(alarm.severity is severity for alarm in status.alarms))


def _alarm(status: NodeStatus) -> Iterator[Sample]:
    raised = {(alarm.code.value, alarm.severity.value, alarm.device or "") for alarm in status.alarms}
    for labels in sorted(raised):
        yield labels, 1.0


def _versions(status: NodeStatus) -> Iterator[Sample]:
    for member, version in sorted(status.member_versions.items()):
        yield (member, version), 1.0


METRICS: Final = (
    NodeMetric(
        "wattswarm_build_info",
        "gauge",
        ("version",),
        "Always 1: the version that runs.",
        lambda status: [((status.version,), 1.0)],
    ),
    NodeMetric(
        "wattswarm_uptime_seconds",
        "gauge",
        (),
        "Real seconds since the daemon started.",
        _one(lambda status: (status.real_ns - status.started_real_ns) / 1e9),
    ),
    NodeMetric(
        "wattswarm_loop_age_seconds",
        "gauge",
        (),
        "Real seconds since the main loop came round; it does every second.",
        _one(lambda status: status.loop_age_s),
    ),
    NodeMetric(
        "wattswarm_height", "gauge", (), "Height of the last block.", _one(lambda status: status.height)
    ),
    NodeMetric(
        "wattswarm_interval",
        "gauge",
        (),
        "Index of the interval that cell time is in.",
        _one(lambda status: status.interval),
    ),
    NodeMetric(
        "wattswarm_interval_decided",
        "gauge",
        (),
        "Index of the last interval that a block covers.",
        _one(lambda status: status.decided_interval),
    ),
    NodeMetric(
        "wattswarm_active",
        "gauge",
        (),
        "1 when peers confirmed what the node remembers, so that it may sign.",
        _one(lambda status: status.active),
    ),
    NodeMetric(
        "wattswarm_read_only",
        "gauge",
        (),
        "1 when the node signs nothing: its guard is missing, an old copy came back, or it lacks the protocol.",
        _one(lambda status: status.read_only is not None),
    ),
    NodeMetric(
        "wattswarm_protocol",
        "gauge",
        (),
        "Version of the protocol that the cell speaks.",
        _one(lambda status: status.protocol),
    ),
    NodeMetric(
        "wattswarm_upgrade_needed",
        "gauge",
        (),
        "1 when the cell speaks, or is to speak, a protocol that this program does not know.",
        _one(lambda status: status.lacks_protocol is not None),
    ),
    NodeMetric(
        "wattswarm_validator",
        "gauge",
        (),
        "1 when it votes on blocks.",
        _one(lambda status: status.validator),
    ),
    NodeMetric("wattswarm_members", "gauge", (), "Members of the cell.", _one(lambda status: status.members)),
    NodeMetric(
        "wattswarm_validators", "gauge", (), "Members that vote.", _one(lambda status: status.validators)
    ),
    NodeMetric(
        "wattswarm_quorum",
        "gauge",
        (),
        "Validators that must sign for a block.",
        _one(lambda status: status.quorum),
    ),
    NodeMetric("wattswarm_peers", "gauge", (), "Members connected.", _one(lambda status: status.peers)),
    NodeMetric(
        "wattswarm_peers_needed",
        "gauge",
        (),
        "Peers without which there is no quorum.",
        _one(lambda status: status.needed_peers),
    ),
    NodeMetric(
        "wattswarm_agreement_seconds",
        "gauge",
        (),
        "How long the last height decided here took, real seconds.",
        _one(lambda status: status.agreement_s),
    ),
    NodeMetric(
        "wattswarm_agreement_round",
        "gauge",
        (),
        "Round in which the last block was decided; 0 is the first.",
        _one(lambda status: status.round),
    ),
    NodeMetric(
        "wattswarm_price_per_kwh",
        "gauge",
        ("branch",),
        "Price of the last block in currency per kWh, by index of the branch; absent where nothing traded.",
        _prices,
    ),
    NodeMetric(
        "wattswarm_image_age_seconds",
        "gauge",
        (),
        "Real seconds since the control process last spoke.",
        _one(lambda status: status.image_age_s),
    ),
    NodeMetric("wattswarm_mode", "gauge", ("mode",), "1 for the mode that the node is in.", _mode),
    NodeMetric(
        "wattswarm_connection_watts",
        "gauge",
        (),
        "Power at the connection, W, injection positive.",
        _of_image("connection_w"),
    ),
    NodeMetric(
        "wattswarm_chargeable_watthours",
        "gauge",
        (),
        "Energy that fits into the batteries, Wh at the terminals.",
        _of_image("chargeable_wh"),
    ),
    NodeMetric(
        "wattswarm_dischargeable_watthours",
        "gauge",
        (),
        "Energy that they can give down to the reserve, Wh at the terminals.",
        _of_image("dischargeable_wh"),
    ),
    NodeMetric(
        "wattswarm_setpoint_settled",
        "gauge",
        (),
        "1 when the last setpoint was read back and reached.",
        _of_image("settled"),
    ),
    NodeMetric(
        "wattswarm_device_power_watts",
        "gauge",
        ("device", "kind"),
        "Power of a device, W, injection positive; absent without a good reading.",
        _devices(lambda device: device.power_w),
    ),
    NodeMetric(
        "wattswarm_device_setpoint_watts",
        "gauge",
        ("device", "kind"),
        "Setpoint that was read back from a device, W.",
        _devices(lambda device: device.setpoint_w),
    ),
    NodeMetric(
        "wattswarm_device_stored_watthours",
        "gauge",
        ("device", "kind"),
        "Energy in a store, Wh.",
        _devices(lambda device: device.stored_wh),
    ),
    NodeMetric(
        "wattswarm_unit_state_of_charge_ratio",
        "gauge",
        ("device",),
        "State of charge of a store, 0 to 1.",
        _units(lambda unit: unit.state_of_charge),
    ),
    NodeMetric(
        "wattswarm_unit_state_of_health_ratio",
        "gauge",
        ("device",),
        "Part of a store's capacity that is left, 0 to 1.",
        _units(lambda unit: unit.state_of_health),
    ),
    NodeMetric(
        "wattswarm_unit_temperature_celsius",
        "gauge",
        ("device",),
        "Temperature of a store.",
        _units(lambda unit: unit.temperature_c),
    ),
    NodeMetric("wattswarm_alarms", "gauge", ("severity",), "Alarms that are raised.", _alarms),
    NodeMetric(
        "wattswarm_alarm", "gauge", ("code", "severity", "device"), "1 for each raised alarm.", _alarm
    ),
    NodeMetric(
        "wattswarm_events_total",
        "counter",
        ("event",),
        "Events of the log since the start, by name.",
        lambda status: [((name,), count) for name, count in sorted(status.events.items())],
    ),
    NodeMetric(
        "wattswarm_network_total",
        "counter",
        ("what",),
        "What the network did since the start, by name.",
        lambda status: [((name,), count) for name, count in sorted(status.network.items())],
    ),
    NodeMetric(
        "wattswarm_refused_total",
        "counter",
        ("reason",),
        "Messages refused since the start, by reason.",
        lambda status: [((name,), count) for name, count in sorted(status.refused.items())],
    ),
    NodeMetric(
        "wattswarm_member_version",
        "gauge",
        ("member", "version"),
        "Always 1: the version that a member says it runs.",
        _versions,
    ),
    NodeMetric(
        "wattswarm_processor_seconds_total",
        "counter",
        (),
        "Processor time of the daemon, without the control process.",
        _one(lambda status: status.processor_s),
    ),
    NodeMetric(
        "wattswarm_memory_bytes", "gauge", (), "Resident memory.", _one(lambda status: status.memory_bytes)
    ),
    NodeMetric(
        "wattswarm_ledger_bytes",
        "gauge",
        (),
        "Size of the ledger's files.",
        _one(lambda status: status.ledger_bytes),
    ),
    NodeMetric(
        "wattswarm_disk_free_bytes",
        "gauge",
        (),
        "Free space where the data directory is.",
        _one(lambda status: status.disk_free_bytes),
    ),
)
