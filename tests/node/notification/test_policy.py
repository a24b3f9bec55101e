"""When a warning goes where: each rule as a story, and all of them as laws over any course of events."""

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from node.notification.matters import Matter, Severity
from node.notification.policy import (
    HOLD_S,
    HOUR_S,
    MESSAGES_PER_HOUR,
    REMEMBERED_S,
    RETRY_S,
    Channel,
    Kind,
    Moment,
    Policy,
    Send,
    Warnings,
)

PHONE = Channel("phone", Severity.CRITICAL)
MAIL = Channel("mail", Severity.WARNING)
BOSS = Channel("boss", Severity.WARNING, after_s=600.0)
QUIET = Policy((PHONE, MAIL, BOSS), repeat_s=3600.0, quiet_from=22 * 60, quiet_to=7 * 60)
FIRE = Matter("fire", Severity.CRITICAL, "It burns.")
PEERS = Matter("peers", Severity.WARNING, "Few peers.")
NOTE = Matter("note", Severity.NOTICE, "A note.")


@dataclass
class Story:
    """Warnings over time: the clock starts at noon."""

    policy: Policy = QUIET
    now_s: float = 0.0
    noon: int = 12 * 60
    sent: list[tuple[float, Send]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.warnings = Warnings(self.policy)

    @property
    def moment(self) -> Moment:
        return Moment(self.now_s, (self.noon + int(self.now_s // 60)) % 1440)

    def see(self, *matters: Matter, wait_s: float = 0.0) -> list[Send]:
        self.now_s += wait_s
        sends = self.warnings.observe(matters, self.moment)
        self.sent += [(self.now_s, send) for send in sends]
        return sends

    def told(self, *matters: Matter, wait_s: float = 0.0) -> set[tuple[str, Kind]]:
        return {(send.channel, send.kind) for send in self.see(*matters, wait_s=wait_s)}


def test_a_critical_matter_goes_at_once_to_all_who_hear_first() -> None:
    assert Story().told(FIRE) == {("phone", Kind.NEW), ("mail", Kind.NEW)}


def test_a_warning_has_to_last_and_goes_to_those_who_want_it() -> None:
    story = Story()
    assert story.told(PEERS) == set()
    assert story.told(PEERS, wait_s=HOLD_S - 1) == set()
    assert story.told(PEERS, wait_s=1) == {("mail", Kind.NEW)}
    assert Story().told(NOTE, wait_s=HOLD_S) == set()


def test_what_passed_before_it_was_told_is_never_told() -> None:
    story = Story()
    story.see(PEERS)
    assert story.told(wait_s=HOLD_S) == set()
    assert story.warnings.open(story.moment) == []


def test_what_nobody_acknowledges_is_repeated_and_escalated() -> None:
    story = Story()
    story.see(FIRE)
    assert story.told(FIRE, wait_s=599) == set()
    assert story.told(FIRE, wait_s=1) == {("boss", Kind.NEW)}
    assert story.told(FIRE, wait_s=3000) == {("phone", Kind.AGAIN), ("mail", Kind.AGAIN)}


def test_who_acknowledges_hears_no_more_until_it_is_over_or_worse() -> None:
    story = Story()
    story.see(PEERS)
    story.see(PEERS, wait_s=HOLD_S)
    assert story.warnings.acknowledge(PEERS.reference)
    assert story.told(PEERS, wait_s=8000) == set()
    worse = Matter(PEERS.key, Severity.CRITICAL, "No peers.")
    assert ("phone", Kind.NEW) in story.told(worse)
    assert story.warnings.acknowledge(PEERS.reference)
    assert story.told() == {("phone", Kind.OVER), ("mail", Kind.OVER), ("boss", Kind.OVER)}
    assert not story.warnings.acknowledge(PEERS.reference)


def test_quiet_hours_hold_back_all_but_the_critical_and_their_end_tells() -> None:
    story = Story(noon=23 * 60)
    story.see(PEERS)
    assert story.told(PEERS, FIRE, wait_s=HOLD_S) == {("phone", Kind.NEW), ("mail", Kind.NEW)}
    assert {send.matter for _, send in story.sent} == {FIRE}
    assert ("mail", Kind.NEW) in story.told(PEERS, FIRE, wait_s=8 * HOUR_S)


def test_quiet_hours_may_be_within_a_day_over_midnight_or_not_at_all() -> None:
    assert [QUIET.is_quiet(minute) for minute in (21 * 60 + 59, 22 * 60, 0, 6 * 60 + 59, 7 * 60)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    siesta = Policy((), quiet_from=13 * 60, quiet_to=15 * 60)
    assert [siesta.is_quiet(hour * 60) for hour in (12, 13, 14, 15)] == [False, True, True, False]
    assert not any(Policy(()).is_quiet(minute) for minute in range(1440))


def test_a_channel_that_failed_is_tried_again() -> None:
    story = Story()
    (first, _) = story.see(FIRE)
    story.warnings.failed(first, story.moment)
    assert story.told(FIRE, wait_s=RETRY_S - 1) == set()
    assert story.told(FIRE, wait_s=1) == {(first.channel, Kind.NEW)}


def test_that_it_is_over_is_tried_again_too() -> None:
    story = Story(Policy((MAIL,)))
    story.see(FIRE)
    (over,) = story.see()
    story.warnings.failed(over, story.moment)
    assert story.told(wait_s=RETRY_S) == {("mail", Kind.OVER)}
    assert story.told(wait_s=RETRY_S) == set()


def test_what_was_acknowledged_stays_so_over_a_restart_but_not_for_ever() -> None:
    again = Warnings(QUIET, [FIRE.reference])
    assert again.observe([FIRE], Moment(0.0, 720)) == []
    later = Warnings(QUIET, [FIRE.reference])
    assert later.observe([], Moment(0.0, 720)) == later.observe([], Moment(REMEMBERED_S + 1, 730)) == []
    assert later.acknowledged == frozenset()
    assert len(later.observe([FIRE], Moment(REMEMBERED_S + 2, 730))) == 2


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1.0, 20.0, 200.0, 2000.0]),
        st.sets(st.sampled_from([FIRE, PEERS, NOTE, Matter("disk", Severity.WARNING, "Full.")])),
        st.sampled_from([None, None, None, FIRE.reference, PEERS.reference]),
        st.booleans(),
    ),
    max_size=60,
)


@given(STEPS, st.integers(0, 1439))
def test_the_laws_hold_over_any_course_of_events(
    steps: list[tuple[float, set[Matter], str | None, bool]], minute: int
) -> None:
    story = Story(noon=minute)
    since: dict[str, float] = {}
    acknowledged: set[str] = set()
    known: dict[tuple[str, str], float] = {}
    per_channel: dict[str, list[float]] = defaultdict(list)
    for wait_s, present, reference, fails in steps:
        keys = {matter.key for matter in present}
        since = {key: since.get(key, story.now_s + wait_s) for key in keys}
        acknowledged &= {matter.reference for matter in present}
        if reference is not None and story.warnings.acknowledge(reference):
            acknowledged.add(reference)
            acknowledged &= {matter.reference for matter in present}
        sends = story.see(*sorted(present, key=lambda matter: matter.key), wait_s=wait_s)
        channels = {channel.name: channel for channel in QUIET.channels}
        for send in sends:
            place = (send.channel, send.matter.key)
            per_channel[send.channel].append(story.now_s)
            assert send.matter.severity is Severity.CRITICAL or not QUIET.is_quiet(story.moment.minute)
            if send.kind is Kind.OVER:
                assert send.matter.key not in keys
                assert place in known, "over, to somebody who never heard of it"
                del known[place]
            else:
                assert send.matter in present
                assert send.matter.reference not in acknowledged
                assert send.matter.severity >= channels[send.channel].least
                assert story.now_s - since[send.matter.key] >= channels[send.channel].after_s
                if send.kind is Kind.AGAIN:
                    assert story.now_s - known[place] >= 3600
                known[place] = story.now_s
            if fails and send.kind is not Kind.OVER:
                story.warnings.failed(send, story.moment)
                known.pop(place)
        if FIRE in present and FIRE.reference not in acknowledged and not fails:
            recent = [each for each in per_channel["phone"] if story.now_s - each < HOUR_S]
            assert ("phone", "fire") in known or len(recent) >= MESSAGES_PER_HOUR or fails_lately(story)
    for times in per_channel.values():
        assert all(
            later - earlier >= HOUR_S
            for earlier, later in zip(times, times[MESSAGES_PER_HOUR:], strict=False)
        )


def fails_lately(story: Story) -> bool:
    """Whether the phone may still be waiting after a failure."""
    phone = [at_s for at_s, send in story.sent if send.channel == "phone"]
    return bool(phone) and story.now_s - phone[-1] < RETRY_S
