"""Smart meters by their P1 telegram: the format by vectors and laws, the driver against a gateway and a serial line."""

import json
import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from p1_bench import Gateway, P1Bench, table, telegram
from sunspec_bench import config

from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError
from devices.dsmr.meter import every_value
from devices.dsmr.telegram import LONGEST_TELEGRAM, TelegramError, checksum, cut, power_w, read
from devices.errors import ConfigurationError
from devices.messages.control_messages import ImageReport
from devices.opening.real_devices import open_hardware, source_of
from devices.trials.conformance import examine

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("dsmr")]

VECTORS = Path(__file__).parents[2] / "vectors" / "dsmr"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())
GOOD = (VECTORS / "drawing.txt").read_bytes()
Make = Callable[..., P1Bench]


@pytest.fixture
def make_bench() -> Iterator[Make]:
    benches: list[P1Bench] = []

    def make(**changes: Any) -> P1Bench:
        benches.append(P1Bench(**changes))
        return benches[-1]

    yield make
    for bench in benches:
        bench.end()


def test_the_checksum_is_the_published_one() -> None:
    """CRC-16/ARC, whose published check value this is."""
    assert checksum(b"123456789") == 0xBB3D


def test_every_vector_is_expected() -> None:
    assert {path.name for path in VECTORS.glob("*.txt")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_telegram_is_read_or_refused_with_the_reason(name: str) -> None:
    data, expected = (VECTORS / name).read_bytes(), EXPECTED[name]
    if isinstance(expected, float):
        assert power_w(read(data)) == expected
    else:
        with pytest.raises(TelegramError, match=expected.replace("(", ".")):
            power_w(read(data))


@given(st.integers(0, len(GOOD) - 3), st.integers(0, 7))
def test_no_flipped_bit_passes(place: int, bit: int) -> None:
    """Of the digits of the checksum, only their case can turn without a change of what they say."""
    data = bytearray(GOOD)
    data[place] ^= 1 << bit
    if data.lower() != GOOD.lower():
        with pytest.raises(TelegramError):
            read(bytes(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    body = b"/" + data + b"!"
    for each in (data, body + b"%04X\r\n" % checksum(body)):
        try:
            values = read(each)
        except TelegramError:
            continue
        assert all(text.startswith("(") and text.endswith(")") for text in values.values())


@given(
    st.lists(st.one_of(st.integers(-9999, 9999), st.binary(max_size=40)), max_size=6),
    st.lists(st.integers(1, 200), min_size=1, max_size=8),
)
def test_however_a_stream_is_chopped_only_what_was_sent_is_read(
    parts: list[int | bytes], sizes: list[int]
) -> None:
    """Noise between telegrams costs at most the telegram that it touches."""
    stream = b"".join(telegram(part) if isinstance(part, int) else part for part in parts)
    sent = {float(part) for part in parts if isinstance(part, int)}
    rest, found, turn = b"", [], 0
    while stream:
        size = sizes[turn % len(sizes)]
        turn += 1
        newest, rest = cut(rest + stream[:size])
        stream = stream[size:]
        assert len(rest) <= LONGEST_TELEGRAM + 200
        if newest is not None:
            try:
                found.append(power_w(read(newest)))
            except TelegramError:
                continue
    assert set(found) <= sent
    if all(isinstance(part, int) for part in parts) and sizes == [1]:
        assert found == parts


def test_every_law_is_kept(make_bench: Make) -> None:
    assert examine(make_bench) == ()


def test_a_silent_meter_is_unknown_after_its_time(make_bench: Make) -> None:
    bench = make_bench(report_s=3)
    bench.data = b""
    assert bench.look(2.0).power_w.value == -500.0
    assert bench.look(2.0).power_w.value is None
    bench.data = telegram(1200.0)
    assert bench.look().power_w.value == 1200.0


def test_a_meter_whose_telegrams_are_all_broken_is_unknown_and_says_why(make_bench: Make) -> None:
    bench = make_bench(report_s=3)
    bench.data = (VECTORS / "bit-flipped.txt").read_bytes()
    assert bench.look(2.0).power_w.value == -500.0
    seen = [(bench.look().power_w.value, bench.der.fault) for _ in range(3)]
    assert any("checksum B681, but the meter says 8A04" in fault for _, fault in seen)
    assert seen[-1][0] is None


def test_a_gateway_that_hangs_up_is_unknown_at_once_and_found_again(make_bench: Make) -> None:
    bench = make_bench()
    bench.data = b""
    bench.gateway.hang_up()
    assert bench.look().power_w.value is None
    assert "the connection was closed" in bench.der.fault
    assert bench.look().power_w.value is None
    bench.data = telegram(-700.0)
    assert bench.look().power_w.value == -700.0


def test_a_meter_on_a_serial_line_is_read() -> None:
    line, port = pty.openpty()
    device = config(
        {"driver": "dsmr", "name": "house", "serial": os.ttyname(port), "maximum_w": 9000, "report_s": 2}
    ).hardware[0]
    meter = open_hardware(device, 0.0)
    now = Instant(10**12, 0)
    assert meter.exchange(None, now).image.power_w.value is None
    os.write(line, GOOD)
    assert meter.exchange(None, now).image.power_w.value == -244.0
    os.close(line)
    with pytest.raises(HardwareError, match="/dev/pts"):
        meter.exchange(None, now)
    meter.close()
    os.close(port)


def test_a_file_is_no_serial_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    device = config({"driver": "dsmr", "name": "house", "serial": str(path), "maximum_w": 9000}).hardware[0]
    with pytest.raises(HardwareError, match="is no serial port"):
        every_value(source_of(device), 1.0)


MISTAKES = [
    ({"serial": "/dev/ttyUSB0"}, "serial: and host or port exclude each other"),
    ({"port": 0}, "port: is 0"),
    ({"measures": "roof"}, "measures: is 'roof'"),
    ({"reversion_w": 0}, "reversion_w: is not a field here"),
]


@pytest.mark.parametrize(("changes", "text"), MISTAKES)
def test_a_mistake_is_told(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(table(5021) | changes)
    assert any(problem.startswith(f"ders[0].{text}") for problem in caught.value.problems), caught.value


def test_only_one_meter_measures_the_connection() -> None:
    with pytest.raises(ConfigurationError, match="only one meter can measure the connection"):
        config(table(5021), table(5022, name="garage"))
    assert config(table(5021), table(5022, name="garage", measures="itself")).hardware[0].connection


async def test_the_house_is_what_the_meter_shows_less_the_devices(build_node: Callable[..., Any]) -> None:
    gateway = Gateway()
    battery = {
        "name": "cellar",
        "kind": "battery",
        "charge_w": 3000,
        "discharge_w": 3000,
        "capacity_wh": 8000,
    }
    node = build_node(ders=[table(gateway.port, report_s=60, poll_ms=50), battery], cycle_ms=50)
    try:
        async with node.attached() as client:
            gateway.send(telegram(-900.0))
            async for message in client.messages:
                if isinstance(message, ImageReport) and message.connection_w == -900.0:
                    devices = {each.name: each.power_w for each in message.devices}
                    assert devices["house"] == -900.0 - (devices["cellar"] or 0.0)
                    break
    finally:
        gateway.end()
