"""What docs/prediction.md says of `[site.readiness]` is what a node takes."""

import re
import tomllib
from pathlib import Path

from node.configuration.config import Config, control_table, site_problems

PAGE = (Path(__file__).parents[3] / "docs" / "prediction.md").read_text("utf-8")
BATTERY = {"kind": "battery", "name": "b", "capacity_wh": 5000, "charge_w": 3000, "discharge_w": 3000}


def problems(readiness: object) -> tuple[str, ...]:
    site = {"readiness": readiness, "ders": [BATTERY], "grid_profile": "grid.csv"}
    return site_problems(Config.model_validate({"node": {"name": "ada"}, "site": site, "file": "node.toml"}))


def test_every_key_is_in_the_table() -> None:
    known: set[str] = set()
    for against in ("overload", "frequency"):
        (told,) = problems({"against": against, "wrong": 1})
        known |= set(told.split("known are ")[1].split(", "))
    rows = re.findall(r"^\| (`.*?)\s+\|", PAGE, re.MULTILINE)
    assert known == {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_the_example_is_a_configuration_without_mistakes() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert problems(tomllib.loads(example)["site"]["readiness"]) == ()


def test_an_armed_service_is_found_by_its_name_and_a_model_from_the_files_place() -> None:
    readiness = {
        "against": "frequency",
        "arm": {"service": "fcr-ce", "up_w": 100.0},
        "model": "model.json",
    }
    assert problems(readiness) == ()
    assert "toaster" in problems(readiness | {"arm": {"service": "toaster"}})[0]
    site = {"readiness": readiness, "ders": [BATTERY], "grid_profile": "grid.csv"}
    config = Config.model_validate({"node": {"name": "ada"}, "site": site, "file": "/etc/w/node.toml"})
    table = control_table(config, 900)["readiness"]
    assert isinstance(table, dict)
    assert table["model"] == "/etc/w/model.json"
    assert table["arm"]["curve"]["name"] == "fcr-ce"
