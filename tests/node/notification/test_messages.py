"""What is worth a warning, and that no message tells anything of the home."""

import string
from dataclasses import replace

import pytest
from example_status import ALARM, IMAGE, status
from hypothesis import given
from hypothesis import strategies as st

from devices.messages.control_messages import Alarm, AlarmCode, Mode
from devices.messages.control_messages import Severity as AlarmSeverity
from node.notification.matters import ALARM_TEXTS, EVENT_TEXTS, Severity, matters_of
from node.notification.messages import message_of, probe_message
from node.notification.policy import Kind, Send


def test_every_alarm_has_its_words() -> None:
    assert set(ALARM_TEXTS) == set(AlarmCode)
    assert len(set(ALARM_TEXTS.values())) == len(AlarmCode)


def test_a_node_that_is_well_warns_of_nothing() -> None:
    assert matters_of(status(alarms=(), events={"block": 4})) == ()


@pytest.mark.parametrize(
    ("changes", "words", "severity"),
    [
        ({"alarms": (ALARM,)}, "too hot", Severity.CRITICAL),
        ({"events": {"equivocation": 1}}, "signed two things", Severity.WARNING),
        ({"read_only": "no guard"}, "only reads", Severity.CRITICAL),
        ({"lacks_protocol": 2}, "upgrade it", Severity.CRITICAL),
        ({"decided_interval": 1000}, "decides no blocks", Severity.CRITICAL),
        ({"peers": 1}, "Too few", Severity.WARNING),
        ({"disk_free_bytes": 10}, "nearly full", Severity.WARNING),
        ({"loop_real_ns": 0}, "silent", Severity.CRITICAL),
        ({"image": replace(IMAGE, mode=Mode.EMERGENCY_STOP)}, "emergency stop", Severity.CRITICAL),
    ],
)
def test_what_is_wrong_is_one_matter(changes: dict[str, object], words: str, severity: Severity) -> None:
    (matter,) = matters_of(status(**{"alarms": (), "events": {}, **changes}))
    assert words in matter.text
    assert matter.severity is severity


def test_one_alarm_of_two_devices_is_two_matters_with_two_references() -> None:
    both = (ALARM, replace(ALARM, device="cellar"))
    first, second = matters_of(status(alarms=both, events={}))
    assert first.text == second.text
    assert first.reference != second.reference


WORDS = st.text(string.ascii_letters + string.digits, min_size=6, max_size=20)


@given(st.sampled_from(AlarmCode), WORDS, WORDS, st.sampled_from(Kind), st.floats(0, 1e6))
def test_no_message_tells_anything_of_the_home(
    code: AlarmCode, device: str, detail: str, kind: Kind, age_s: float
) -> None:
    device, detail = f"device-{device}", f"4711 W {detail}"
    alarm = Alarm(code, AlarmSeverity.WARNING, True, device, detail, 0)
    secrets = {"read_only": detail, "member_versions": {device: detail}, "network": {detail: 1}}
    texts = [text for _, text in EVENT_TEXTS.values()]
    for matter in matters_of(status(alarms=(alarm,), **secrets)):
        message = message_of(Send("mail", kind, matter, age_s), "ada")
        told = message.title + message.body
        assert device not in told
        assert detail not in told
        assert "4711" not in told.replace(matter.reference, "")
        assert matter.text in told
        assert matter.text in (*ALARM_TEXTS.values(), *texts) or matter.key in {"read-only"}
    assert "test" in probe_message("ada").title
