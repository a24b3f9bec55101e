"""When a node lives, when it is ready, and what the pages answer."""

from dataclasses import replace

import pytest
from example_status import IMAGE, S, status

from node.operation.health import not_alive, not_ready
from node.operation.pages import answer


def test_a_node_that_does_its_part_is_alive_and_ready() -> None:
    assert not_alive(status()) == not_ready(status()) == ()
    assert answer("/healthz", status()).body == b"ok\n"
    assert answer("/readyz?verbose", status()).code == 200


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loop_real_ns": 89 * S}, "the main loop has not come round for 11 s"),
        ({"image": replace(IMAGE, real_ns=80 * S)}, "the control process has said nothing for 20 s"),
        ({"image": None}, "the control process has said nothing yet"),
    ],
)
def test_what_a_restart_may_mend_is_not_alive(changes: dict[str, object], reason: str) -> None:
    assert not_alive(status(**changes)) == (reason,)
    assert answer("/healthz", status(**changes)).code == 503
    assert reason in not_ready(status(**changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"active": False}, "it is not active: too few peers have confirmed what it remembers"),
        ({"read_only": "no guard"}, "it only reads: no guard"),
        ({"peers": 1}, "1 peers are connected, 2 are needed for a quorum"),
        ({"decided_interval": 1001}, "no block for 4 intervals"),
    ],
)
def test_what_a_restart_does_not_mend_is_not_ready(changes: dict[str, object], reason: str) -> None:
    assert not_alive(status(**changes)) == ()
    assert not_ready(status(**changes)) == (reason,)
    told = answer("/readyz", status(**changes))
    assert (told.code, told.body.decode()) == (503, f"{reason}\n")


def test_a_node_that_has_just_started_has_time_to_find_its_devices() -> None:
    assert not_alive(status(image=None, started_real_ns=90 * S)) == ()


def test_a_cell_that_has_not_begun_is_not_late() -> None:
    assert not_ready(status(height=0, decided_interval=-1)) == ()


def test_another_path_is_told_which_there_are() -> None:
    told = answer("/", status())
    assert (told.code, told.body) == (404, b"there are /metrics, /healthz, /readyz\n")
