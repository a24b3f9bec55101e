"""A VTN in a process of its own that checks everything against the published schema, and configurations for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from node.configuration.config import Config, load_config
from sim.counterparts.openadr_vtn import CLIENT
from sim.counterparts.started import Started

HOUR_NS = 3_600 * 10**9
DAY_NS = 1_700_006_400 * 10**9
"""2023-11-15T00:00:00Z: cell time of the tests' cells begins there."""


class VtnProcess(Started):
    """The VTN; every command waits until it is done."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("openadr_vtn", "--check", *arguments)
        version = "3.1.0" if "3.1" in arguments else "3.0.1"
        scheme = "https" if "--certificate" in arguments else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/openadr3/{version}"

    def put(self, kind: str, *values: dict[str, Any]) -> None:
        self.ask(put={kind: values})

    def see(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(see=kind)[kind]
        return found

    def expect_no_problems(self) -> None:
        """Whatever a client sent was what the schema says."""
        assert self.ask(see="requests")["problems"] == []


@contextmanager
def vtn_process(*arguments: str) -> Iterator[VtnProcess]:
    vtn = VtnProcess(*arguments)
    try:
        yield vtn
    finally:
        vtn.end()


def time_text(at_ns: int) -> str:
    """As the VTN writes it."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


PROGRAM = {
    "id": "program-1",
    "programName": "evening",
    "payloadDescriptors": [
        {"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "KW"},
        {"payloadType": "EXPORT_CAPACITY_LIMIT", "units": "KW"},
        {"payloadType": "DISPATCH_SETPOINT", "units": "KW"},
        {"payloadType": "DISPATCH_SETPOINT_RELATIVE", "units": "KW"},
        {"payloadType": "PRICE", "units": "KWH", "currency": "EUR"},
    ],
}


def event(
    identity: str, payload: str, *values: float, start_ns: int = DAY_NS, lasts: str = "PT1H", **more: Any
) -> dict[str, Any]:
    """An event of one payload type; one interval after the other has one of the values."""
    return {
        "id": identity,
        "programID": "program-1",
        "intervalPeriod": {"start": time_text(start_ns), "duration": lasts},
        "intervals": [
            {"id": number, "payloads": [{"type": payload, "values": [value]}]}
            for number, value in enumerate(values)
        ],
        **more,
    }


def openadr_text(vtn_url: str, **more: object) -> str:
    """The table of a configuration."""
    keys = {
        "vtn": vtn_url,
        "client_id": CLIENT[0],
        "client_secret_file": "vtn-secret",
        "poll_real_s": 0.2,
        "timeout_real_s": 1.0,
        **more,
    }
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
    return f"[openadr]\n{written}\n"


def secret_file(folder: Path) -> None:
    path = folder / "vtn-secret"
    path.write_text(CLIENT[1] + "\n", "utf-8")
    path.chmod(0o600)


def configured(folder: Path, vtn_url: str, **more: object) -> Config:
    """A node that has nothing but a VTN."""
    secret_file(folder)
    path = folder / "node.toml"
    path.write_text('[node]\nname = "ada"\n' + openadr_text(vtn_url, **more), "utf-8")
    return load_config(path)
