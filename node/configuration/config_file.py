"""Writes configuration tables as TOML: sections, arrays of tables and plain values, in the order given."""

import json


def config_text(table: dict[str, object]) -> str:
    """The TOML text of a table of sections."""
    lines: list[str] = []
    _section(lines, (), table)
    return "\n".join(lines).lstrip("\n") + "\n"


def _section(lines: list[str], path: tuple[str, ...], table: dict[str, object]) -> None:
    later: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict) or _is_array_of_tables(value):
            later.append((key, value))
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in later:
        name = ".".join(_key(part) for part in (*path, key))
        if isinstance(value, dict):
            lines.extend(("", f"[{name}]"))
            _section(lines, (*path, key), value)
        elif isinstance(value, list):
            for item in value:
                lines.extend(("", f"[[{name}]]"))
                _section(lines, (*path, key), item)


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _text(key)


def _text(value: str) -> str:
    """A basic string: JSON's, but for surrogate pairs, which TOML does not know, and DEL, which it wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(f"no TOML for {type(value).__name__}")
