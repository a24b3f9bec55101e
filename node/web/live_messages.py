"""What the daemon tells the web server over the local socket, one JSON object per line; nothing secret is in it.

`kind` says which: `upward` wraps what control said (process images, meter records, alarms), `report` a line of the
daemon's log with its cell time, `state` how the core stands, `answer` what became of an action. The other way go
actions. Injection positive, W; energies mWh; times in unix ns.
"""

import json
from typing import Any

from devices.errors import MessageError
from devices.json_codec import to_json
from devices.messages.control_messages import Upward
from devices.messages.frames import decode_upward
from node.core.core import NodeCore
from node.demand.showing import shown
from node.events import Now, Report

LINE_BYTES = 256 * 1024
"""bytes of a line; the state of a cell of a hundred members is below 64 KiB."""
FORECAST_INTERVALS = 48
"""Intervals ahead that the page shows of what is expected."""


def upward_line(message: Upward) -> bytes:
    """What control said, as a line."""
    return b'{"kind":"upward","message":' + to_json(message) + b"}\n"


def report_line(report: Report, now: Now) -> bytes:
    """A line of the log, as a line."""
    return _line({"kind": "report", "cell_ns": now.cell_ns, "event": report.event, "fields": report.fields})


def state_line(core: NodeCore, now: Now, settings: dict[str, Any] | None = None) -> bytes:
    """How the core stands and what the owner has set, as a line."""
    return _line({"kind": "state", **_state(core, now), "settings": settings})


def action_line(number: int, action: dict[str, Any]) -> bytes:
    """An action for the daemon, as a line."""
    return _line({"kind": "act", "number": number, "action": action})


def read_action(line: bytes) -> tuple[int, dict[str, Any]]:
    """The number and the action of a line. Raises MessageError."""
    match read_line(line):
        case {"kind": "act", "number": int(number), "action": dict(action)}:
            return number, action
    raise MessageError("no action")


def answer_line(number: int, fault: str) -> bytes:
    """What became of an action, as a line: `fault` says why it was not carried out, empty if it was."""
    return _line({"kind": "answer", "number": number, "fault": fault})


def read_line(line: bytes) -> dict[str, Any]:
    """A line as an object with a `kind`; what control said is typed, under `message`. Raises MessageError."""
    try:
        value = json.loads(line)
    except ValueError as fault:
        raise MessageError(f"no JSON: {fault}") from fault
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise MessageError("not an object with a kind")
    if value["kind"] == "upward":
        return {"kind": "upward", "message": decode_upward(json.dumps(value.get("message")).encode())}
    return value


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=str).encode() + b"\n"


def _state(core: NodeCore, now: Now) -> dict[str, Any]:
    tip, names = core.ordering.tip, _names(core)
    return {
        "cell_ns": now.cell_ns,
        "height": tip.height,
        "last_interval": tip.last_interval,
        "active": core.active,
        "read_only": core.read_only,
        "connected": sorted(names.get(peer, peer.hex()[:16]) for peer in core.syncing.peers),
        "capacities": _own_capacity(core, now)
        | {
            names.get(key, key.hex()[:16]): {
                "up_w": each.up_mw / 1000,
                "down_w": each.down_mw / 1000,
                "state_of_charge": None if each.state_of_charge is None else each.state_of_charge / 1000,
            }
            for key, each in core.capacities.seen.items()
        },
        "utility": shown(core.serving.demand, now.cell_ns) if core.serving.demand.listens else None,
        **_trading(core, now),
    }


def _own_capacity(core: NodeCore, now: Now) -> dict[str, Any]:
    """What this node itself could change, under its own name; empty for one that does not trade."""
    member = core.identity.present(core.gathering.membership)
    if core.trading is None or member is None:
        return {}
    up_mw, down_mw, soc = core.trading.headroom_mw(now)
    charge = None if soc is None else soc / 1000
    return {member.name.decode(): {"up_w": up_mw / 1000, "down_w": down_mw / 1000, "state_of_charge": charge}}


def _names(core: NodeCore) -> dict[bytes, str]:
    return {member.feed_key: member.name.decode() for member in core.gathering.membership.members}


def _trading(core: NodeCore, now: Now) -> dict[str, Any]:
    """What this member expects and has contracted; empty for one that does not trade."""
    trading = core.trading
    if trading is None:
        return {"positions": {}, "forecast": [], "price_quartiles": None}
    first = trading.calendar.index_of(now.cell_ns)
    quartiles = trading.prices.forecast()
    return {
        "positions": {str(interval): energy for interval, energy in trading.positions.items()},
        "forecast": [
            [interval, trading.load.expect(interval), trading.generation.expect(interval)]
            for interval in range(first, first + FORECAST_INTERVALS)
        ],
        "price_quartiles": None if quartiles is None else [quartiles.low, quartiles.high],
    }
