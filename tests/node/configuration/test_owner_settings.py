"""What the owner set on the page outlives the daemon, and goes before the configuration."""

from pathlib import Path

import pytest

from node.configuration.config import Config, NodeSection, SiteSection
from node.configuration.owner_settings import SETTINGS_FILE, OwnerSettings
from node.errors import ConfigError


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    OwnerSettings(tmp_path / SETTINGS_FILE, {"battery": 0.4}, paused=True).save()
    read = OwnerSettings.load(tmp_path)
    assert (read.reserves, read.paused) == ({"battery": 0.4}, True)


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    read = OwnerSettings.load(tmp_path)
    assert (read.reserves, read.paused) == ({}, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"reserves": {}}',
        '{"reserves": {"b": 2}, "paused": false}',
        '{"reserves": {}, "paused": 1}',
    ],
)
def test_a_file_that_says_something_else_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / SETTINGS_FILE).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=SETTINGS_FILE):
        OwnerSettings.load(tmp_path)


def test_reserves_go_before_the_configuration(tmp_path: Path) -> None:
    ders: tuple[dict[str, object], ...] = ({"name": "battery", "reserve": 0.1}, {"name": "house"})
    config = Config(node=NodeSection(name="a"), site=SiteSection(ders=ders))
    applied = OwnerSettings(tmp_path / SETTINGS_FILE, {"battery": 0.4}).applied_to(config)
    assert applied.site.ders == ({"name": "battery", "reserve": 0.4}, {"name": "house"})
