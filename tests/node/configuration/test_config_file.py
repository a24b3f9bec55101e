"""Writing TOML: whatever is written reads back as it was."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.configuration.config_file import config_text

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
plain = text | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
leaves = plain | st.lists(plain, max_size=3)
tables = st.recursive(
    st.dictionaries(text, leaves, max_size=4),
    lambda inner: st.dictionaries(text, leaves | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=8,
)


@given(tables)
def test_a_table_reads_back_as_it_was_written(table: dict[str, object]) -> None:
    assert tomllib.loads(config_text(table)) == table


def test_what_is_none_is_left_out() -> None:
    assert tomllib.loads(config_text({"a": None, "b": 1})) == {"b": 1}


def test_what_has_no_toml_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        config_text({"key": b"secret"})
