"""What a daemon says that its owner has set, for pages that are served without one."""

from typing import Any

SETTINGS: dict[str, Any] = {
    "paused": False,
    "reserves": {"battery": 0.2},
    "goal": "cheapest",
    "price_floor": None,
    "price_cap": 0.35,
    "goals": {"cheapest": "", "greenest": "the goal greenest needs carbon: 24 values", "independent": ""},
    "services": [
        {
            "name": "village-flex",
            "up_w": 1000.0,
            "down_w": 500.0,
            "most_up_w": 2000.0,
            "most_down_w": 1000.0,
        }
    ],
    "private": False,
}


def settings_line(**changes: object) -> dict[str, Any]:
    """A line of the live socket that says so, with changes."""
    return {"kind": "state", "settings": {**SETTINGS, **changes}}
