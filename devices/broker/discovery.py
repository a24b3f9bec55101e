"""What Home Assistant is told of a node: which sensors there are, and what they show. Reports in, messages out, no I/O.

W and Wh, injection positive. Source: Home Assistant's MQTT integration, device discovery (since 2024.11): one retained
message names every component. The state itself is never retained: with `expire_after`, Home Assistant would take an old
value for a new one after its restart.
"""

import json
from importlib.metadata import version

from devices.configuration.publish_settings import PublishConfig, plain
from devices.image import DerKind
from devices.messages.control_messages import DeviceReport, ImageReport
from devices.mqtt.link import Post

MISSED = 3
"""So many states may be lost before a value counts as unknown."""
WATT = {"device_class": "power", "unit_of_measurement": "W", "state_class": "measurement"}
WATT_HOUR = {"device_class": "energy_storage", "unit_of_measurement": "Wh", "state_class": "measurement"}


def announcement(config: PublishConfig, report: ImageReport) -> Post:
    """The message by which Home Assistant learns of every sensor."""
    node = plain(config.node)
    sensors = [("connection", "Connection", "connection_w", WATT)]
    for device in report.devices:
        key = plain(device.name)
        way = f"devices['{key}']"
        sensors.append((f"{key}_power", f"{device.name} power", f"{way}.power_w", WATT))
        if device.kind is not DerKind.LOAD:
            sensors.append((f"{key}_setpoint", f"{device.name} setpoint", f"{way}.setpoint_w", WATT))
        if device.kind is DerKind.BATTERY:
            sensors.append((f"{key}_stored", f"{device.name} stored", f"{way}.stored_wh", WATT_HOUR))
    payload = {
        "device": {"identifiers": [f"wattswarm_{node}"], "name": config.node, "manufacturer": "Wattswarm"},
        "origin": {"name": "wattswarm", "sw_version": version("wattswarm")},
        "state_topic": f"{config.root}/state",
        "availability_topic": config.presence,
        "components": {
            key: {
                "platform": "sensor",
                "unique_id": f"wattswarm_{node}_{key}",
                "name": name,
                "value_template": f"{{{{ value_json.{way} }}}}",
                "expire_after": round(MISSED * config.every_s),
                **unit,
            }
            for key, name, way, unit in sensors
        },
    }
    return Post(
        f"{config.discovery_prefix}/device/wattswarm_{node}/config", json.dumps(payload), retained=True
    )


def state(config: PublishConfig, report: ImageReport) -> Post:
    """One message with every value; what is not known is null."""
    payload = {
        "mode": report.mode.value,
        "wish": report.wish,
        "settled": report.settled,
        "connection_w": report.connection_w,
        "devices": {plain(each.name): _values(each) for each in report.devices},
    }
    return Post(f"{config.root}/state", json.dumps(payload))


def _values(device: DeviceReport) -> dict[str, float | None]:
    return {"power_w": device.power_w, "setpoint_w": device.setpoint_w, "stored_wh": device.stored_wh}
