"""Shell: `[site.readiness]` as the control process reads it: paths from the file's place, the armed curve by name."""

from pathlib import Path
from typing import Final

from devices.response.response_curve import curve_table
from devices.response.service_files import find_curve

ARM: Final = "arm"


def readiness_table(
    section: dict[str, object], directory: Path, service_paths: tuple[Path, ...]
) -> dict[str, object]:
    """The table for the control process. Raises ServiceError for a service that is none."""
    table = dict(section)
    if isinstance(table.get("model"), str):
        table["model"] = str((directory / str(table["model"])).resolve())
    armed = table.get(ARM)
    if isinstance(armed, dict) and isinstance(armed.get("service"), str):
        curve = curve_table(find_curve(str(armed["service"]), service_paths))
        table[ARM] = {name: value for name, value in armed.items() if name != "service"} | {"curve": curve}
    return table
