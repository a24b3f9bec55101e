"""From one release to the next and back: the rules as a table of stories, and as laws for any sequence of events."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from node.upgrade.supervision import (
    END_S,
    SILENCE_S,
    START_S,
    AskToStop,
    Effect,
    HandOver,
    Kill,
    Leave,
    Memory,
    Phase,
    Remember,
    Start,
    Supervision,
)

TRIAL_S = 60.0
READY = {"READY": "1", "WATCHDOG": "1", "X": "1"}
ALIVE = {"WATCHDOG": "1", "X": "1"}
NOT_READY = {"WATCHDOG": "1", "X": "0"}


@dataclass
class Node:
    """A supervised node of the test: which daemon runs, and what is on the disk."""

    memory: Memory = field(default_factory=Memory)
    runs: str | None = "nothing"
    left: int | None = None
    asked: list[type[Effect]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now_s = 0.0
        self.core = Supervision(self.memory, TRIAL_S)
        self.take(self.core.start(0.0))

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Start(version):
                    assert self.runs == "nothing", "two daemons at once"
                    self.runs = version
                    assert version in (self.memory.current, self.memory.trial), (
                        "started before it was durable"
                    )
                case Remember(memory):
                    self.memory = memory
                case Leave(status):
                    self.left = status
                case HandOver() | AskToStop() | Kill():
                    assert self.runs != "nothing", "told nobody"
                    self.asked.append(type(effect))

    def request(self, version: str) -> None:
        self.take(self.core.requested(version, self.now_s))

    def exit(self, status: int) -> None:
        self.runs = "nothing"
        self.take(self.core.exited(status, self.now_s))

    def hear(self, fields: dict[str, str]) -> None:
        self.take(self.core.heard(fields, "X", self.now_s))

    def wait(self, seconds: float, saying: dict[str, str] | None = None) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + 5)
            self.take(self.core.tick(self.now_s))
            if saying is not None:
                self.hear(saying)

    def begin_trial(self) -> None:
        self.hear(READY)
        self.request("2.0")
        assert self.asked == [HandOver]
        self.exit(0)
        assert (self.runs, self.core.phase) == ("2.0", Phase.TRIAL)


def test_a_good_release_is_kept_after_its_trial() -> None:
    node = Node()
    node.begin_trial()
    node.hear(READY)
    node.wait(TRIAL_S - 5, ALIVE)
    assert node.memory.trial == "2.0"
    node.wait(10, ALIVE)
    assert node.memory == Memory(current="2.0", previous=None, outcome=("2.0", True, ""))
    assert node.runs == "2.0"


def test_a_release_that_crashes_is_given_up() -> None:
    node = Node()
    node.begin_trial()
    node.exit(70)
    assert (node.runs, node.memory.current, node.memory.trial) == (None, None, None)
    assert node.memory.outcome == ("2.0", False, "it ended with status 70")


def test_a_release_that_never_becomes_ready_is_given_up() -> None:
    node = Node()
    node.begin_trial()
    node.wait(START_S + 5)
    assert node.asked[-1] is Kill
    node.exit(-9)
    assert node.runs is None
    assert node.memory.outcome == ("2.0", False, "it was not ready after 120 s")


def test_a_release_that_falls_silent_is_given_up() -> None:
    node = Node()
    node.begin_trial()
    node.hear(READY)
    node.wait(SILENCE_S + 5)
    node.exit(-9)
    assert node.runs is None
    assert node.memory.outcome == ("2.0", False, "it was silent for 30 s")


def test_a_release_that_does_not_come_back_into_the_cell_is_given_up_if_its_predecessor_was_there() -> None:
    node = Node()
    node.begin_trial()
    node.hear({**READY, "X": "0"})
    node.wait(TRIAL_S + START_S + 10, NOT_READY)
    node.exit(-9)
    assert node.memory.outcome == (
        "2.0",
        False,
        "it does not do its part in the cell, as the one before it did",
    )


def test_it_is_not_blamed_for_a_cell_that_was_away_before() -> None:
    node = Node()
    node.hear({**READY, "X": "0"})
    node.request("2.0")
    node.exit(0)
    node.hear({**READY, "X": "0"})
    node.wait(TRIAL_S + 5, NOT_READY)
    assert node.memory.current == "2.0"


def test_a_daemon_that_does_not_end_is_killed_and_the_upgrade_goes_on() -> None:
    node = Node()
    node.hear(READY)
    node.request("2.0")
    node.wait(END_S + 5)
    assert node.asked == [HandOver, Kill]
    node.exit(-9)
    assert node.runs == "2.0"


def test_a_trial_that_was_interrupted_has_failed() -> None:
    node = Node(Memory(current="1.5", previous=None, trial="2.0"))
    assert node.runs == "1.5"
    assert node.memory.outcome == ("2.0", False, "the supervisor ended during the trial")


def test_a_daemon_that_ends_by_itself_ends_the_supervisor_with_its_status() -> None:
    node = Node()
    node.exit(4)
    assert node.left == 4


def test_a_stop_during_the_trial_gives_it_up_and_stops() -> None:
    node = Node()
    node.begin_trial()
    node.take(node.core.asked_to_stop(node.now_s))
    assert node.asked[-1] is AskToStop
    node.exit(0)
    assert (node.left, node.memory.trial) == (0, None)
    assert node.memory.outcome is not None
    assert node.memory.outcome[1] is False


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([5.0, 35.0, 130.0])),
        st.tuples(st.just("say"), st.sampled_from([READY, ALIVE, NOT_READY, {}])),
        st.tuples(st.just("request"), st.sampled_from(["2.0", "3.0"])),
        st.tuples(st.just("exit"), st.sampled_from([0, 1, 70, -9])),
        st.tuples(st.just("power"), st.none()),
        st.tuples(st.just("stop"), st.none()),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_happens_one_daemon_runs_and_only_what_proved_itself_is_kept(
    events: list[tuple[str, object]],
) -> None:
    node = Node()
    proved: set[str | None] = {None}
    for what, value in events:
        if node.left is not None or what == "power":
            node = Node(node.memory)
        elif what == "wait" and isinstance(value, float):
            node.wait(value)
        elif what == "say" and isinstance(value, dict):
            node.hear(value)
        elif what == "request" and isinstance(value, str):
            node.request(value)
        elif what == "exit" and isinstance(value, int):
            node.exit(value)
        elif what == "stop":
            node.take(node.core.asked_to_stop(node.now_s))
        if node.memory.outcome is not None and node.memory.outcome[1]:
            proved.add(node.memory.outcome[0])
        assert node.memory.current in proved
        assert node.left is not None or node.runs != "nothing"
        assert node.memory.trial is None or node.core.phase in (Phase.ENDING, Phase.TRIAL, Phase.GIVING_UP)
