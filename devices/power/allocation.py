"""How one power becomes setpoints: batteries share it by headroom, PV gets limits. W, injection positive."""

from dataclasses import dataclass

from devices.limits import PowerRange


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What a device is told: a battery its power, a PV system the most it may inject."""

    name: str
    power_w: float


@dataclass(frozen=True, slots=True)
class PvInput:
    """What dispatch knows of one PV system: its nameplate, and what it could inject now (None: unknown)."""

    name: str
    maximum_w: float
    available_w: float | None

    @property
    def most_w(self) -> float:
        """What must be expected of it at most."""
        return self.maximum_w if self.available_w is None else self.available_w


def distribute(
    power_w: float, names: tuple[str, ...], ranges: tuple[PowerRange, ...]
) -> tuple[Setpoint, ...]:
    """Split a power over batteries in proportion to their headroom in its direction; each stays in its range.

    `power_w` lies within the sum of the ranges, each of which contains zero.
    """
    headroom = tuple(each.maximum_w if power_w >= 0 else each.minimum_w for each in ranges)
    total_w = sum(headroom)
    share = min(1.0, power_w / total_w) if total_w != 0 else 0.0
    return tuple(Setpoint(name, share * each_w) for name, each_w in zip(names, headroom, strict=True))


def curtail(pv: tuple[PvInput, ...], room_w: float) -> tuple[Setpoint, ...]:
    """Share the power that PV may inject together: in proportion to what each can give, no more than its
    nameplate.

    The limits sum up to at most `room_w`, so the sun may come out before the next cycle.
    """
    built_w = sum(each.maximum_w for each in pv)
    if room_w >= built_w:
        return tuple(Setpoint(each.name, each.maximum_w) for each in pv)
    possible_w = sum(each.most_w for each in pv)
    return tuple(
        Setpoint(
            each.name,
            min(
                each.maximum_w,
                room_w * (each.most_w / possible_w if possible_w > 0 else each.maximum_w / built_w),
            ),
        )
        for each in pv
    )
