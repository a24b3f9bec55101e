"""The crowd that benchmarks bring: each is served, and who never reads holds up nobody."""

import json
import os
import subprocess
import sys

from served_node import ServedNode, image

from sim.measuring.process_use import cpu_s, memory_mb, with_words


def test_a_crowd_is_served_and_hears_what_changes(node: ServedNode) -> None:
    command = [sys.executable, "-m", "sim.measuring.page_viewers", node.url, "3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout is not None
        assert json.loads(crowd.stdout.readline()) == {"served": 3}
        hub = node.watcher.hub
        node.wait(lambda: hub.readers == 4, "three who read, and one who does not")
        node.tell(image())
        node.wait(lambda: asked(crowd).get("events", 0) >= 6, "three hear two events")
        assert hub.readers == 4
        said, _ = crowd.communicate(timeout=60)
    assert "came back" not in json.loads(said)


def asked(crowd: "subprocess.Popen[str]") -> dict[str, int]:
    """What the crowd has heard by now."""
    assert crowd.stdin is not None and crowd.stdout is not None
    crowd.stdin.write("\n")
    crowd.stdin.flush()
    found: dict[str, int] = json.loads(crowd.stdout.readline())
    return found


def test_the_use_of_a_process_is_read() -> None:
    own = os.getpid()
    assert own in with_words(*map(str, sys.orig_argv[1:2]))
    before = cpu_s(own)
    assert before > 0
    assert 5 < memory_mb(own) < 100_000
    assert cpu_s(own) >= before
