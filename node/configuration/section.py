"""What all parts of a configuration share: strict tables, and lists from TOML as tuples."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from node.constants import ADDRESS_BYTES

Address = Annotated[str, Field(pattern=r"^/(ip4|ip6|dns4|dns6)/[^/]+/tcp/\d+$", max_length=ADDRESS_BYTES)]


def lists_are_tuples(value: object) -> object:
    """TOML's lists below each key, as tuples."""
    if isinstance(value, dict):
        return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}
    return value


def list_is_tuple(value: object) -> object:
    """A list of TOML as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def one_or_a_list(value: object) -> object:
    """One text, or a list of them, as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Addresses = Annotated[tuple[Address, ...], BeforeValidator(one_or_a_list)]
"""One address, or a list of them."""

Peers = Annotated[dict[str, tuple[Address, ...]], BeforeValidator(lists_are_tuples)]
Texts = Annotated[tuple[str, ...], BeforeValidator(list_is_tuple)]
Tables = Annotated[tuple[dict[str, object], ...], BeforeValidator(list_is_tuple)]


class Section(BaseModel):
    """A table: unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
