"""Shell: the reference for every control loop: `python -m sim.measuring.bare_loop PERIOD_MS SECONDS`.

It sleeps until each period's absolute end (clock_nanosleep) and does nothing else, so what it shows is what the
operating system and Python leave to anybody. It prints one JSON list: the monotonic time in ns of every pass.
"""

import json
import sys
import time


def passes(period_ns: int, duration_ns: int) -> list[int]:
    """When each pass began."""
    began = time.monotonic_ns()
    due, seen = began, []
    while due < began + duration_ns:
        due += period_ns
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        seen.append(time.monotonic_ns())
    return seen


if __name__ == "__main__":
    found = passes(int(sys.argv[1]) * 1_000_000, round(float(sys.argv[2]) * 1e9))
    sys.stdout.write(json.dumps(found))
