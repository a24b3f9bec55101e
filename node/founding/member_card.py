"""Shell: the public card of a member-to-be, a small TOML file that its owner gives to the founder of the cell.

A card holds no secret: name, public keys, where the member sits on the feeder, its nameplate and its addresses.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from node.configuration.config_file import config_text
from node.configuration.section import Address
from node.constants import ADDRESSES_PER_MEMBER
from node.errors import ConfigError

Hex32 = Field(pattern=r"^[0-9a-f]{64}$")


class MemberCard(BaseModel):
    """What a founder needs to know of a member. Powers in W, at the connection point."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    feed_key: str = Hex32
    consensus_key: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    branch: str | None = None
    max_injection_w: int = Field(default=17_250, ge=0)
    max_withdrawal_w: int = Field(default=17_250, ge=0)
    addresses: Annotated[tuple[Address, ...], Field(max_length=ADDRESSES_PER_MEMBER)] = ()


def write_card(card: MemberCard, path: Path) -> None:
    """Write a card as TOML."""
    path.write_text(config_text(card.model_dump()), "utf-8")


def read_card(path: Path) -> MemberCard:
    """Read a card. Raises `ConfigError` naming the file and each mistake."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read as a member card: {error}"]) from error
    return check_card(table, str(path))


def check_card(table: Mapping[str, object], source: str) -> MemberCard:
    """A card of these fields. Raises `ConfigError` naming the source and each mistake."""
    try:
        return MemberCard.model_validate(table)
    except ValidationError as error:
        raise ConfigError([_mistake(source, dict(item)) for item in error.errors()]) from None


def _mistake(source: str, item: dict[str, object]) -> str:
    location = item["loc"]
    assert isinstance(location, tuple)
    key = ".".join(map(str, location))
    match item["type"]:
        case "extra_forbidden":
            return f"{source}: {key}: unknown key; allowed here: {', '.join(MemberCard.model_fields)}"
        case "missing":
            return f"{source}: {key}: is missing"
    return f"{source}: {key}: {item['msg']}; found {item['input']!r}"
