"""The client against a VTN process that keeps state, checks the published schema, and has faults."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from vtn_bench import DAY_NS, HOUR_NS, PROGRAM, VtnProcess, configured, event, vtn_process

from devices.openadr.book import EventBook
from devices.openadr.timeline import Matter
from devices.openadr.values import OpenAdrError
from node.configuration.config import Config, load_config
from node.demand.demand import Demand
from node.demand.following import Following, kept_baseline, learn
from node.demand.setting_up import client_of, configured_demand
from node.demand.vtn import connected
from node.errors import ConfigError
from node.events import Now
from node.web.certificates import make_certificate

LIMIT = event("limit", "IMPORT_CAPACITY_LIMIT", 3.5)


@pytest.fixture(scope="module")
def one_vtn() -> Iterator[VtnProcess]:
    with vtn_process() as started:
        yield started


@pytest.fixture
def vtn(one_vtn: VtnProcess) -> VtnProcess:
    """As new, with one event."""
    one_vtn.ask(reset=True)
    one_vtn.put("programs", PROGRAM)
    one_vtn.put("events", LIMIT)
    return one_vtn


async def asked(config: Config, book: EventBook | None = None) -> EventBook:
    """One poll."""
    book = EventBook(client_of(config)) if book is None else book
    async with connected(config) as client:
        await learn(client, book, DAY_NS)
    return book


def value_of(book: EventBook, matter: Matter = Matter.IMPORT_LIMIT, at_ns: int = DAY_NS) -> float | None:
    action = book.timeline.at(matter, at_ns)
    return None if action is None else action.value


async def test_programs_and_events_come_with_a_token_and_end_when_they_say(
    vtn: VtnProcess, tmp_path: Path
) -> None:
    book = await asked(configured(tmp_path, vtn.url))
    assert value_of(book) == 3_500
    assert value_of(book, at_ns=DAY_NS + HOUR_NS - 1) == 3_500
    assert value_of(book, at_ns=DAY_NS + HOUR_NS) is None
    assert [program.name for program in book.programs.values()] == ["evening"]
    vtn.expect_no_problems()


async def test_what_is_modified_and_deleted_between_polls_is_seen(vtn: VtnProcess, tmp_path: Path) -> None:
    config = configured(tmp_path, vtn.url)
    book = await asked(config)
    vtn.put("events", event("limit", "IMPORT_CAPACITY_LIMIT", 1.0))
    assert value_of(await asked(config, book)) == 1_000
    vtn.ask(delete={"events": ["limit"]})
    assert value_of(await asked(config, book)) is None


async def test_an_event_that_a_list_lacks_stands_until_the_vtn_says_that_it_is_gone(
    vtn: VtnProcess, tmp_path: Path
) -> None:
    config = configured(tmp_path, vtn.url)
    book = await asked(config)
    vtn.ask(fault="forgets-events")
    assert value_of(await asked(config, book)) == 3_500
    vtn.ask(delete={"events": ["limit"]})
    assert value_of(await asked(config, book)) is None


@pytest.mark.parametrize("fault", ["ignores-skip", "short-pages", None])
async def test_pages_are_put_together(vtn: VtnProcess, tmp_path: Path, fault: str | None) -> None:
    count = 40 if fault == "ignores-skip" else 120
    vtn.put("events", *(event(f"e{number}", "IMPORT_CAPACITY_LIMIT", 5 + number) for number in range(count)))
    if fault is not None:
        vtn.ask(fault=fault)
    book = await asked(configured(tmp_path, vtn.url))
    assert len(book.events) == count + 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("slow", "no answer within 1 s"),
        ("drip", "no answer within 1 s"),
        ("garbage", "is no JSON"),
        ("object", "is no list"),
        ("huge", "more than 1048576 bytes"),
        ("denied", "answers 401 Unauthorized; look at openadr.client_id"),
        ("forbidden", "answers 403 Forbidden; ask its operator"),
        ("down", "answers 503 Service Unavailable; it is asked again later"),
        ("away", "it wants us elsewhere; set openadr.vtn"),
        ("empty", "it shows no program named evening"),
    ],
)
async def test_a_vtn_in_trouble_is_named_with_a_remedy_and_changes_nothing(
    vtn: VtnProcess, tmp_path: Path, fault: str, says: str
) -> None:
    config = configured(tmp_path, vtn.url, programs=["evening"])
    book = await asked(config)
    vtn.put("events", event("limit", "IMPORT_CAPACITY_LIMIT", 0.0))
    vtn.ask(fault=fault)
    with pytest.raises(OpenAdrError) as caught:
        await asked(config, book)
    assert says in str(caught.value) and str(caught.value).startswith(vtn.url)
    assert value_of(book) == 3_500
    vtn.ask(fault="")
    assert value_of(await asked(config, book)) == 0


async def test_an_unreachable_vtn_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpenAdrError, match=r"127\.0\.0\.1:9/vtn.*cannot be reached; look at openadr.vtn"):
        await asked(configured(tmp_path, "http://127.0.0.1:9/vtn"))


async def test_over_tls_only_a_trusted_certificate_will_do(tmp_path: Path) -> None:
    certificate, key = tmp_path / "vtn.pem", tmp_path / "vtn-key.pem"
    make_certificate("vtn", "127.0.0.1", certificate, key)
    with vtn_process("--certificate", str(certificate), "--key", str(key)) as vtn:
        vtn.put("programs", PROGRAM)
        vtn.put("events", LIMIT)
        assert value_of(await asked(configured(tmp_path, vtn.url, ca_file="vtn.pem"))) == 3_500
        with pytest.raises(OpenAdrError, match=r"certificate is not trusted .*; openadr.ca_file names"):
            await asked(configured(tmp_path, vtn.url))
        with pytest.raises(
            OpenAdrError, match=r"openadr.ca_file: .*vtn-secret: .*; it must hold certificates"
        ):
            await asked(configured(tmp_path, vtn.url, ca_file="vtn-secret"))
        elsewhere = vtn.url.replace("127.0.0.1", "localhost")
        assert value_of(await asked(configured(tmp_path, elsewhere, ca_file="vtn.pem"))) == 3_500


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"vtn": "http://vtn.example/openadr3/3.0.1"},
            "openadr.vtn: must begin with https:// unless the VTN is on",
        ),
        ({"vtn": "vtn.example"}, "openadr.vtn: must be an address like https://vtn.example/openadr3/3.0.1"),
        ({"client_id": "ada"}, "openadr: client_id and client_secret_file go together"),
        (
            {"acts_for": "dso"},
            'openadr: acts_for = "dso" needs a service to call, a branch to limit, or both',
        ),
        ({"level_shares": [1.0]}, "level_shares and level_w have four values"),
        ({"colour": 3}, "openadr.colour: unknown key; allowed here: vtn, version"),
    ],
)
def test_mistakes_in_the_table_are_named(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "node.toml"
    keys = {"vtn": "https://vtn.example/openadr3/3.0.1"} | change
    written = "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
    path.write_text(f'[node]\nname = "ada"\n[openadr]\n{written}\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert says in str(caught.value)


async def test_a_token_that_the_vtn_forgot_is_fetched_again(vtn: VtnProcess, tmp_path: Path) -> None:
    config = configured(tmp_path, vtn.url)
    book = EventBook(client_of(config))
    async with connected(config) as client:
        await learn(client, book, DAY_NS)
        before = vtn.ask(see="requests")["requests"].count("POST auth/token")
        await learn(client, book, DAY_NS)
        assert vtn.ask(see="requests")["requests"].count("POST auth/token") == before == 1
        vtn.ask(expire=True)
        await learn(client, book, DAY_NS)
    assert vtn.ask(see="requests")["requests"].count("POST auth/token") == 2


async def test_a_wrong_secret_is_told_apart(vtn: VtnProcess, tmp_path: Path) -> None:
    config = configured(tmp_path, vtn.url)
    (tmp_path / "vtn-secret").write_text("wrong", "utf-8")
    with pytest.raises(OpenAdrError, match=r"gives no token .401 invalid_client.*client_secret_file"):
        await asked(config)
    (tmp_path / "vtn-secret").chmod(0o644)
    with pytest.raises(OpenAdrError, match=r"is open to others .mode 0644.; run: chmod 600"):
        await asked(config)
    (tmp_path / "vtn-secret").unlink()
    with pytest.raises(OpenAdrError, match=r"client_secret_file.*No such file"):
        await asked(config)


async def test_one_wrong_event_is_refused_and_its_earlier_version_stands(
    vtn: VtnProcess, tmp_path: Path
) -> None:
    config = configured(tmp_path, vtn.url)
    book = await asked(config)
    vtn.ask(
        raw={
            "events": [
                event("limit", "IMPORT_CAPACITY_LIMIT", -1.0),
                event("other", "EXPORT_CAPACITY_LIMIT", 2.0),
            ]
        }
    )
    await asked(config, book)
    assert value_of(book) == 3_500
    assert value_of(book, Matter.EXPORT_LIMIT) == 2_000
    assert [refusal.id for refusal in book.refused] == ["limit"]


@pytest.mark.parametrize("version", ["3.0", "3.1"])
async def test_we_are_enrolled_once_and_reports_are_what_the_schema_says(
    tmp_path: Path, version: str
) -> None:
    with vtn_process("--version", version) as vtn:
        wanted = [{"payloadType": name} for name in ("USAGE", "DEMAND", "SIMPLE_LEVEL", "OPERATING_STATE")]
        vtn.put("programs", PROGRAM)
        vtn.put("events", event("limit", "IMPORT_CAPACITY_LIMIT", 3.5, 2.0, reportDescriptors=wanted))
        config = configured(tmp_path, vtn.url, version=version)
        for _ in range(2):
            demand, log = following(config), structlog.testing.CapturingLogger()
            follow = Following(config, demand, lambda: Now(0, DAY_NS + 3 * HOUR_NS, 1), log)
            count_two_hours(demand)
            async with connected(config) as client:
                await follow._look(client)
                await follow._look(client)
        assert [ven["venName"] for ven in vtn.see("vens")] == ["ada"]
        assert [resource["resourceName"] for resource in vtn.see("resources")] == ["site"]
        reports = {each["payloadDescriptors"][0]["payloadType"]: each for each in vtn.see("reports")}
        assert values_in(reports["USAGE"]) == [[0.5, "OK"], [1.5, "OK"]]
        assert values_in(reports["DEMAND"]) == [[0.5, "OK"], [1.5, "OK"]]
        assert values_in(reports["OPERATING_STATE"]) == [["RUNNING_CURTAILED"]] * 2
        assert values_in(reports["SIMPLE_LEVEL"]) == [[0], [0]]
        assert len(vtn.see("reports")) == 4
        assert ("programID" in reports["USAGE"]) == (version == "3.0")
        vtn.expect_no_problems()


async def test_what_was_known_holds_over_a_restart_without_the_vtn(vtn: VtnProcess, tmp_path: Path) -> None:
    config = configured(tmp_path, vtn.url)
    log = structlog.testing.CapturingLogger()
    first = Following(config, following(config), lambda: Now(0, DAY_NS, 1), log)
    count_two_hours(first._demand)
    async with connected(config) as client:
        await first._look(client)
    vtn.ask(fault="down")
    demand = following(config)
    second = Following(config, demand, lambda: Now(0, DAY_NS, 1), log)
    second._recall()
    async with connected(config) as client:
        await second._look(client)
        await second._look(client)
    assert value_of(demand.book) == 3_500
    assert (
        demand.limits.baseline.rows == kept_baseline(config).rows == first._demand.limits.baseline.rows != []
    )
    assert [call.args for call in log.calls].count(("vtn_trouble",)) == 1


def following(config: Config) -> Demand:
    return configured_demand(config, bytes(32), [])


def count_two_hours(demand: Demand) -> None:
    from devices.messages.control_messages import MeterRecord
    from market.intervals import Calendar

    calendar, first = Calendar(3600, 0), DAY_NS // HOUR_NS
    for hour, used in enumerate((500_000, 1_500_000)):
        demand.metered(MeterRecord(first + hour, 0, used, True, ()), calendar)


def values_in(report: dict[str, Any]) -> list[list[object]]:
    (resource,) = report["resources"]
    return [
        [value for payload in interval["payloads"] for value in payload["values"]]
        for interval in resource["intervals"]
    ]
