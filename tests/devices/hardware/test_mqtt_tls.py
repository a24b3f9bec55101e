"""A broker that speaks TLS: its certificate is checked, ours is shown, and what is wrong is told with the remedy."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mqtt_bench import Mosquitto, config, mosquitto, table

from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError
from devices.errors import ConfigurationError
from devices.mqtt.access import Access
from devices.mqtt.link import Broker, MqttLink, Post
from devices.opening.real_devices import open_hardware
from node.web.certificates import make_certificate


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and keys, each signed by itself, which mosquitto's user may read."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("broker", "node", "stranger"):
        make_certificate(name, "127.0.0.1", folder / f"{name}.pem", folder / f"{name}.key")
    return folder


@contextmanager
def broker_with(files: Path, folder: Path, *more: str) -> Iterator[Mosquitto]:
    lines = ("allow_anonymous true", f"certfile {files / 'broker.pem'}", f"keyfile {files / 'broker.key'}")
    with mosquitto(folder, *lines, *more) as started:
        yield started


@pytest.fixture(scope="module")
def broker(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with broker_with(files, tmp_path_factory.mktemp("broker")) as started:
        yield started


def access(files: Path, **more: str) -> Access:
    return Access(tls=True, ca_file=str(files / "broker.pem"), **more)


def refused(port: int, how: Access, host: str = "127.0.0.1") -> str:
    link = MqttLink(Broker(host, port, 5.0, how), (), None, lambda *_: None)
    with pytest.raises(HardwareError) as caught:
        link.open()
    return str(caught.value)


def test_messages_go_both_ways_over_tls_however_many_come_at_once(broker: Mosquitto, files: Path) -> None:
    heard: list[bytes] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        heard.append(payload)

    link = MqttLink(Broker("127.0.0.1", broker.port, 5.0, access(files)), ("tls/#",), None, hear)
    link.open()
    for number in range(50):
        link.put(Post("tls/test", f"{number}" * 100))
    link.look()
    link.wait(lambda: len(heard) == 50, 5.0)
    link.close()
    assert heard == [f"{number}".encode() * 100 for number in range(50)]


def test_a_broker_that_nobody_vouches_for_is_refused(broker: Mosquitto, files: Path) -> None:
    for unknown in (Access(tls=True), Access(tls=True, ca_file=str(files / "stranger.pem"))):
        said = refused(broker.port, unknown)
        assert said.startswith(f"127.0.0.1:{broker.port}: its certificate is not trusted")
        assert "ca_file names who signed it" in said


def test_a_broker_under_another_name_is_refused(tmp_path: Path) -> None:
    make_certificate("elsewhere", "127.0.0.9", tmp_path / "broker.pem", tmp_path / "broker.key")
    with broker_with(tmp_path, tmp_path) as elsewhere:
        said = refused(elsewhere.port, access(tmp_path))
    assert "IP address mismatch" in said and "host must be a name in it" in said


def test_without_tls_there_and_with_tls_nowhere_it_says_so(
    broker: Mosquitto, files: Path, tmp_path: Path
) -> None:
    assert "the broker" in refused(broker.port, Access())
    with mosquitto(tmp_path) as plain:
        assert f"127.0.0.1:{plain.port}: " in refused(plain.port, access(files))


def test_a_broker_that_asks_for_our_certificate_gets_it(files: Path, tmp_path: Path) -> None:
    asks = (f"cafile {files / 'node.pem'}", "require_certificate true")
    ours = {"certificate_file": str(files / "node.pem"), "key_file": str(files / "node.key")}
    others = {"certificate_file": str(files / "stranger.pem"), "key_file": str(files / "stranger.key")}
    with broker_with(files, tmp_path, *asks) as strict:
        link = MqttLink(
            Broker("127.0.0.1", strict.port, 5.0, access(files, **ours)), (), None, lambda *_: None
        )
        link.open()
        link.look()
        link.close()
        assert refused(strict.port, access(files))
        assert refused(strict.port, access(files, **others))


def test_files_that_cannot_be_used_are_named(broker: Mosquitto, files: Path, tmp_path: Path) -> None:
    key, certificate = str(files / "node.key"), str(files / "stranger.pem")
    mixed = access(files, certificate_file=certificate, key_file=key)
    assert f"certificate_file {certificate} with key_file {key}" in refused(broker.port, mixed)
    missing = str(tmp_path / "missing.pem")
    assert f"ca_file {missing}" in refused(broker.port, Access(tls=True, ca_file=missing))
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    assert "must hold certificates in PEM" in refused(broker.port, Access(tls=True, ca_file=str(empty)))


def test_a_device_of_the_configuration_is_reached_over_tls(
    broker: Mosquitto, files: Path, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    shutil.copy(files / "broker.pem", ca_file)
    (device,) = config(table(broker.port, ca_file=str(ca_file), timeout_ms=5000)).hardware
    hardware = open_hardware(device, 0.0)
    exchanged = hardware.exchange(None, Instant(10**12, 0))
    hardware.close()
    assert exchanged.image.name == "box"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"certificate_file": "node.pem"}, "certificate_file: and key_file go together"),
        ({"tls": False, "ca_file": "ca.pem"}, "tls: is false, and a file for it is named"),
        ({"tls": "yes"}, "tls: is 'yes'; it must be true or false"),
    ],
)
def test_mistakes_in_the_table_are_named(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(table(1883, **keys))
    assert says in str(caught.value)
