"""The configuration of a site that can form an island: which battery does, in what place, and what it may carry. W."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devices.fields import Fields

MOST_RANKED = 64
LARGEST_W = 1e9
NOMINAL_HZ = (50.0, 60.0)


@dataclass(frozen=True, slots=True)
class FormingConfig:
    """`device` is the battery that forms; `name` is who we are in `rank`, the order of formers in the genesis.

    `inrush_limit_w` is what the former carries for a moment, `settle_s` (real time) the wait between two blocks of
    loads, and `inrush_w` what a load draws in the moment it closes, where that is more than its nameplate.
    `back_after_s` (real time) is how long the public grid must have been good before the island goes back to it.
    """

    device: str
    name: str
    rank: tuple[str, ...]
    inrush_limit_w: float
    settle_s: float = 5.0
    back_after_s: float = 60.0
    inrush_w: Mapping[str, float] = field(default_factory=dict)


def parse_forming(top: Fields, batteries: Mapping[str, float], loads: frozenset[str]) -> FormingConfig | None:
    """Read the table `forming`, if there is one; mistakes are collected in the fields.

    `batteries` are those that may form, with what they discharge at most; `loads` those that can be switched.
    """
    if top.absent("forming"):
        return None
    table = top.table("forming")
    device = table.choice("device", tuple(batteries)) if batteries else table.text("device", 64)
    if not batteries:
        table.problem("device", "there is no battery that could form")
    inrush = Fields.of({}, "", []) if table.absent("inrush_w") else table.table("inrush_w")
    found = {name: inrush.number(name, 0.0, LARGEST_W) for name in sorted(loads) if not inrush.absent(name)}
    inrush.close()
    config = FormingConfig(
        device=device,
        name=table.text("name", 128, ""),
        rank=() if table.absent("rank") else table.texts("rank", MOST_RANKED, 128),
        inrush_limit_w=table.number("inrush_limit_w", 0.0, LARGEST_W, batteries.get(device, 0.0)),
        settle_s=table.number("settle_s", 0.1, 3600.0, 5.0),
        # EN 50549-1:2019, 4.10.2: the range that an observation time may be set to.
        back_after_s=table.number("back_after_s", 10.0, 600.0, 60.0),
        inrush_w=found,
    )
    table.close()
    return config
