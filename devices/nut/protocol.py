"""The lines of the UPS management protocol, and what a status says: text in, values out, no I/O.

Source: RFC 9271, sections 4.2 (commands and replies), 5.1 (status words) and appendix A (variables).
"""

import re
from collections.abc import Mapping

from devices.errors import DeviceError
from devices.image import Supply

VARIABLE = re.compile(r'VAR (\S+) ([A-Za-z0-9._-]+) "((?:[^"\\]|\\.)*)"')
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MEANINGS = {
    "ACCESS-DENIED": "this host may not ask it; see LISTEN and the firewall",
    "UNKNOWN-UPS": "there is no UPS of this name; `upsc -l` lists them",
    "DATA-STALE": "its driver has lost the UPS; look at the cable",
    "DRIVER-NOT-CONNECTED": "its driver does not run; start it with upsdrvctl",
}


class NutError(DeviceError):
    """The server's fault, or the owner's: what it answered, and what that means."""


def variables(lines: list[str], ups: str) -> dict[str, str]:
    """The variables in a reply to LIST VAR, its first and last line included. Raises NutError for anything else."""
    if lines and lines[0].startswith("ERR "):
        code = lines[0].removeprefix("ERR ").split(" ")[0]
        raise NutError(f"{ups}: {code}: {MEANINGS.get(code, 'the server refuses')}")
    if len(lines) < 2 or lines[0] != f"BEGIN LIST VAR {ups}" or lines[-1] != f"END LIST VAR {ups}":
        raise NutError(f"{ups}: the server does not answer as RFC 9271 says")
    found: dict[str, str] = {}
    for line in lines[1:-1]:
        match = VARIABLE.fullmatch(line)
        if match is None or match[1] != ups:
            raise NutError(f"{ups}: no line of a list of variables: {line[:80]!r}")
        found[match[2]] = re.sub(r"\\(.)", r"\1", match[3])
    return found


def supply(status: str | None) -> Supply:
    """What feeds the load, by the words of `ups.status`; unknown where no word says it, or while the UPS tries out
    its battery by itself.
    """
    words = set() if status is None else set(status.split())
    if "CAL" in words and not words & {"LB", "FSD"}:
        return Supply.UNKNOWN
    if "OB" in words:
        return Supply.LOW_BATTERY if words & {"LB", "FSD"} else Supply.BATTERY
    return Supply.MAINS if "OL" in words else Supply.UNKNOWN


def drawn_w(values: Mapping[str, str], feeding: Supply) -> float | None:
    """The power that the UPS takes from the mains, W: nothing on battery, unknown where it does not say.

    `input.realpower` is that; `ups.realpower`, and the load as part of the rated power, are what it gives.
    """
    if feeding in (Supply.BATTERY, Supply.LOW_BATTERY):
        return 0.0
    if feeding is Supply.UNKNOWN:
        return None
    for name in ("input.realpower", "ups.realpower"):
        known = number(values, name)
        if known is not None:
            return known
    load, rated_w = number(values, "ups.load"), number(values, "ups.realpower.nominal")
    return None if load is None or rated_w is None else load / 100 * rated_w


def number(values: Mapping[str, str], name: str) -> float | None:
    """A variable that is a plain number at or above zero; None for one that is missing or is none."""
    text = values.get(name, "")
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else None
