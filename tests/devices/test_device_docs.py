"""What docs/devices.md says is what the catalogue does: keys, defaults, limits, laws, and its example starts."""

import re
import tomllib
from pathlib import Path

from devices.models.catalogue import TYPES
from devices.models.catalogue_keys import REQUIRED, Key
from devices.trials.conformance import LAWS
from node.configuration.config import Config, site_problems

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")


def shown(key: Key) -> str:
    if key.default == REQUIRED:
        return "required"
    if key.default is None:
        return "none"
    if isinstance(key.default, bool):
        return str(key.default).lower()
    if isinstance(key.default, float):
        return f"{key.default:g}"
    return "[]" if key.default == () else str(key.default)


def test_the_table_of_types_has_every_key_with_default_and_limits() -> None:
    wanted = [
        (f"`{each.name}`", f"`{key.name}`", shown(key), key.allowed)
        for each in TYPES.values()
        for key in each.keys
    ]
    table = PAGE.split("## Every key")[1].split("`site.surroundings`")[0]
    found = [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    assert found == wanted


def test_every_type_says_what_it_is_made_of() -> None:
    physics = PAGE.split("## What each is made of")[1].split("## Every key")[0]
    named = re.findall(r"`([a-z-]+)`", "\n".join(line.split(" | ")[0] for line in physics.splitlines()))
    assert set(named) >= TYPES.keys()


def test_the_laws_are_listed() -> None:
    listed = re.findall(r"^\| `([a-z_]+)`", PAGE.split("## The conformance suite")[1], re.MULTILINE)
    assert [law.__name__ for law in LAWS] == listed


def test_the_example_is_a_configuration_without_mistakes() -> None:
    source = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
    config = Config.model_validate({"node": {"name": "ada"}, "file": "node.toml", **source})
    assert site_problems(config) == ()
