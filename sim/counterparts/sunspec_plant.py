"""A SunSpec inverter as registers that time acts on: power follows the setpoint, timers run out, a battery fills.

It shares no code with the driver that it is there to test: offsets come from the published model files, read here
once more, and values are packed here. W, Wh and s; injection positive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MARK = [0x5375, 0x6E53]
BASE = 40_000
MODELS = {
    "battery": (1, 701, 702, 704, 713, 715, 802),
    "solar": (1, 701, 702, 704, 715),
    "older-battery": (1, 103, 124, 802),
    "meter": (1, 203),
}
SCALES = {
    "W_SF": 0, "V_SF": -1, "Hz_SF": -2, "TotWh_SF": 0, "WH_SF": 0, "Pct_SF": -2, "WSet_SF": 0,
    "WMaxLimPct_SF": -2, "SoC_SF": -1, "SoH_SF": 0, "WHRtg_SF": 0, "WChaDisChaMax_SF": 0, "WChaMax_SF": 0,
    "InOutWRte_SF": -2, "ChaState_SF": -2,
}  # fmt: skip
TEXTS = {"Mn": "Wattswarm", "Md": "Counterpart", "Vr": "1", "SN": "0001"}
SIGNED = ("int16", "int32", "int64", "sunssf")
S_PER_H = 3600.0
LOCAL = ("InvSt", 3), ("ConnSt", 1), ("St", 1)


@dataclass(slots=True)
class _Timer:
    """The reversion timer of one control: seconds left, or None while none runs."""

    left_s: float | None = None


@dataclass
class Plant:
    """One inverter of `kind`, a key of MODELS. `definitions` are the published model files, by number.

    Its energy flows `speed` times as fast as its own time passes, as in a testnet; its timers and its heartbeat do not.
    """

    kind: str
    definitions: Mapping[int, Mapping[str, Any]]
    rated_w: float = 5000.0
    capacity_wh: float = 8000.0
    stored_wh: float = 4000.0
    sun_w: float = 3000.0
    registers: list[int] = field(default_factory=list)
    places: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    power_w: float = 0.0
    injected_wh: float = 0.0
    absorbed_wh: float = 0.0
    time_s: float = 0.0
    stuck: bool = False
    timers: bool = True
    speed: float = 1.0
    running: dict[str, _Timer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out the map and fill in what never changes."""
        self.registers = list(MARK)
        for number in MODELS[self.kind]:
            self._lay(number)
        self.registers += [0xFFFF, 0]
        rating = {"WMaxRtg": 1, "WMax": 1, "WChaRteMaxRtg": 1, "WDisChaRteMaxRtg": 1, "WChaRteMax": 1}
        for name in (*rating, "WDisChaRteMax", "WChaMax"):
            self._put_where_it_is(name, self.rated_w)
        for name in ("WHRtg", "SoH"):
            self._put_where_it_is(name, self.capacity_wh if name == "WHRtg" else 98.0)
        for name, value in LOCAL:
            self._put_where_it_is(name, value)
        for name in ("LocRemCtl", "Sta", "WSetEna", "WMaxLimPctEna", "StorCtl_Mod", "ControllerHb"):
            self._put_where_it_is(name, 0)
        self._show()

    def read(self, address: int, count: int) -> list[int] | None:
        """Registers, or None when some of them are not there."""
        start = address - BASE
        if start < 0 or start + count > len(self.registers):
            return None
        return self.registers[start : start + count]

    def write(self, address: int, values: Sequence[int]) -> bool:
        """Take registers as a controller writes them; false when they are not there or cannot be written."""
        start = address - BASE
        touched = {
            name
            for name, (at, size, _) in self.places.items()
            if at < start + len(values) and start < at + size
        }
        if not touched or not all(self._writable(name) for name in touched):
            return False
        self.registers[start : start + len(values)] = list(values)
        self._start_timers(touched)
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps that end where a timer does."""
        while seconds > 0:
            lefts = [timer.left_s for timer in self.running.values() if timer.left_s is not None]
            step = min([seconds, *(left for left in lefts if left > 0)])
            self._flow(step)
            seconds -= step
            self.time_s += step
            for name, timer in self.running.items():
                if timer.left_s is not None:
                    timer.left_s -= step
                    if timer.left_s <= 1e-9:
                        timer.left_s = None
                        self._revert(name)
        self._flow(0.0)
        self._show()

    def put(self, place: str, value: float, scaled: bool = True) -> None:
        """Set a point, named like `713.SoC`; unscaled values are written as they are."""
        at, size, _ = self.places[place]
        raw = round(value / 10 ** self._scale(place)) if scaled else round(value)
        raw &= (1 << 16 * size) - 1
        self.registers[at : at + size] = [raw >> 16 * (size - 1 - index) & 0xFFFF for index in range(size)]

    def get(self, place: str) -> float:
        """A point's scaled value."""
        at, size, type_name = self.places[place]
        raw = 0
        for register in self.registers[at : at + size]:
            raw = raw << 16 | register
        if type_name in SIGNED and raw >> (16 * size - 1):
            raw -= 1 << 16 * size
        return float(raw * 10.0 ** self._scale(place))

    def _lay(self, number: int) -> None:
        group = self.definitions[number]["group"]
        at = len(self.registers)
        for point in group["points"]:
            place, size = f"{number}.{point['name']}", int(point["size"])
            self.places[place] = (len(self.registers), size, point["type"])
            if point["type"] == "string":
                text = TEXTS.get(point["name"], "").encode().ljust(2 * size, b"\0")
                self.registers += [int.from_bytes(text[2 * i : 2 * i + 2], "big") for i in range(size)]
            else:
                signed = point["type"] in SIGNED
                self.registers += [0x8000] + [0] * (size - 1) if signed else [0xFFFF] * size
            if point["name"] in SCALES and point["type"] == "sunssf":
                self.put(place, SCALES[point["name"]], scaled=False)
        # The groups of model 704 that nothing here implements: four of two registers, as its length of 65 says.
        spare = {704: 8}.get(number, 0)
        self.registers += [0xFFFF] * spare
        self.registers[at], self.registers[at + 1] = number, len(self.registers) - at - 2

    def _scale(self, place: str) -> int:
        number, name = place.split(".")
        points = {point["name"]: point for point in self.definitions[int(number)]["group"]["points"]}
        scale = points[name].get("sf")
        return SCALES.get(scale, 0) if isinstance(scale, str) else int(scale or 0)

    def _put_where_it_is(self, name: str, value: float) -> None:
        for place in self.places:
            if place.split(".")[1] == name:
                self.put(place, value)

    def _writable(self, place: str) -> bool:
        number, name = place.split(".")
        points = self.definitions[int(number)]["group"]["points"]
        return any(point["name"] == name and point.get("access") == "RW" for point in points)

    def _start_timers(self, touched: set[str]) -> None:
        """A control that is written starts its timer anew, if it has one; what leads it is the time in its register."""
        for control, seconds in (
            ("704.WSet", "704.WSetRvrtTms"),
            ("704.WMaxLimPct", "704.WMaxLimPctRvrtTms"),
            ("124.OutWRte", "124.InOutWRte_RvrtTms"),
        ):
            if control in touched or seconds in touched:
                left_s = self.get(seconds)
                self.running[control] = _Timer(left_s if self.timers and 0 < left_s < 0xFFFF else None)

    def _revert(self, control: str) -> None:
        if control == "124.OutWRte":
            self.put("124.StorCtl_Mod", 0)
            return
        self.put(control, self.get(control + "Rvrt"))
        self.put(control + "Ena", self.get(control + "EnaRvrt"))

    def _wish_w(self) -> float:
        if self.stuck or self.kind == "meter":
            return self.power_w
        if self.kind == "solar":
            limited = self.get("704.WMaxLimPctEna") == 1
            return min(self.sun_w, self.get("704.WMaxLimPct") / 100 * self.rated_w if limited else self.sun_w)
        if self.kind == "older-battery":
            on = self.get("124.StorCtl_Mod") == 3
            return self.get("124.OutWRte") / 100 * self.rated_w if on else 0.0
        return self.get("704.WSet") if self.get("704.WSetEna") == 1 else 0.0

    def _flow(self, seconds: float) -> None:
        self.power_w = max(-self.rated_w, min(self.rated_w, self._wish_w()))
        moved_wh = self.power_w * seconds * self.speed / S_PER_H
        if self.kind not in ("solar", "meter"):
            kept_wh = min(self.capacity_wh, max(0.0, self.stored_wh - moved_wh))
            if kept_wh != self.stored_wh - moved_wh:
                moved_wh, self.power_w = self.stored_wh - kept_wh, 0.0
            self.stored_wh = kept_wh
        self.injected_wh += max(0.0, moved_wh)
        self.absorbed_wh += max(0.0, -moved_wh)

    def _show(self) -> None:
        """Write what is measured into the registers."""
        part = 100 * self.stored_wh / self.capacity_wh
        shown = {
            "701.W": self.power_w, "701.Hz": 50.0, "701.LNV": 230.0, "701.TotWhInj": self.injected_wh,
            "701.TotWhAbs": self.absorbed_wh, "713.SoC": part, "713.WHAvail": self.stored_wh,
            "715.DERHb": int(self.time_s), "802.SoC": part, "103.W": self.power_w, "103.Hz": 50.0,
            "203.W": self.power_w, "124.ChaState": part, "704.WSetRvrtRem": self._left("704.WSet"),
            "704.WMaxLimPctRvrtRem": self._left("704.WMaxLimPct"),
        }  # fmt: skip
        for place, value in shown.items():
            if place in self.places:
                self.put(place, value)

    def _left(self, control: str) -> float:
        timer = self.running.get(control)
        return 0.0 if timer is None or timer.left_s is None else float(-(-timer.left_s // 1))
