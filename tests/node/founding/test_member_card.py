"""Member cards: what is written reads back, and every mistake in one is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ConfigError
from node.founding.member_card import MemberCard, read_card, write_card

KEY = "ab" * 32
cards = st.builds(
    MemberCard,
    name=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=64),
    feed_key=st.binary(min_size=32, max_size=32).map(bytes.hex),
    consensus_key=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    branch=st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    max_injection_w=st.integers(0, 10**6),
    addresses=st.lists(st.sampled_from(("/ip4/192.0.2.7/tcp/9400", "/dns4/a.example/tcp/1")), max_size=8).map(
        tuple
    ),
)


@given(cards)
def test_a_card_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, card: MemberCard
) -> None:
    path = tmp_path_factory.mktemp("card") / "member.toml"
    write_card(card, path)
    assert read_card(path) == card


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            f'name = "a"\nfeed_key = "{KEY}"\ncolour = "red"',
            ["colour: unknown key; allowed here: name, feed_key"],
        ),
        ('name = "a"', ["feed_key: is missing"]),
        (f'name = ""\nfeed_key = "{KEY}"', ["name: "]),
        ('name = "a"\nfeed_key = "ab"', ["feed_key: ", "found 'ab'"]),
        (f'name = "a"\nfeed_key = "{KEY}"\naddresses = ["192.0.2.7:9400"]', ["addresses.0: "]),
        (f'name = "a"\nfeed_key = "{KEY}"\nmax_injection_w = -1', ["max_injection_w: "]),
        ("name = ", ["cannot be read as a member card"]),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, text: str, messages: list[str]) -> None:
    path = tmp_path / "member.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_card(path)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(str(path)) and all(message in mistake for message in messages)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml"):
        read_card(tmp_path / "no.toml")
