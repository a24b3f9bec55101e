"""Members say which version they run: the message, what is believed of it, and the list for people."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import encode
from ledger.errors import Malformed
from node.cli.operation import versions as versions_command
from node.errors import InputRefusedError
from node.operation.versions import MemberVersions, RunningVersion

ADA, BEN = bytes(32), b"\1" * 32


@given(
    st.integers(0, 2**63 - 1),
    st.text("0aZ.+!-", min_size=1, max_size=32),
    st.lists(st.integers(0, 9), max_size=8),
)
def test_a_message_reads_back(cell_ns: int, version: str, protocols: list[int]) -> None:
    said = RunningVersion(cell_ns, version, tuple(protocols))
    assert RunningVersion.decode(said.encode()) == said


@pytest.mark.parametrize(
    "message",
    [
        b"",
        encode((1, b"", (1,))),
        encode((1, b"0.1\n", (1,))),
        encode((1, b"x" * 33, (1,))),
        encode((-1, b"0.1", (1,))),
        encode((1, b"0.1", (-1,))),
        encode((1, b"0.1", (b"1",))),
        encode((1, b"0.1", (1,) * 9)),
        encode((1, b"0.1")),
    ],
)
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(Malformed):
        RunningVersion.decode(message)


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_undeclared(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        RunningVersion.decode(data)


def test_the_newest_word_of_each_member_counts_and_others_are_forgotten() -> None:
    heard = MemberVersions()
    assert heard.hear(ADA, RunningVersion(2, "0.1.0", (1,)).encode())
    assert not heard.hear(ADA, RunningVersion(1, "0.0.9", (1,)).encode())
    assert not heard.hear(ADA, RunningVersion(3, "0.1.0", (1,)).encode())
    assert heard.hear(ADA, RunningVersion(4, "0.2.0", (1, 2)).encode())
    assert heard.hear(BEN, RunningVersion(4, "0.1.0", (1,)).encode())
    named = heard.named([(ADA, "ada")])
    assert {name: said.version for name, said in named.items()} == {"ada": "0.2.0"}
    assert heard.named([(ADA, "ada"), (BEN, "ben")]).keys() == {"ada"}


def test_a_node_that_never_ran_knows_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="has the node run"):
        versions_command(tmp_path)
