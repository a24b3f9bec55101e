"""What is not in a map is proved by its neighbours, and what is in it never is."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.proofs import LeafProof
from ledger.errors import InvalidProof
from ledger.merkle import EMPTY_ROOT, MapProof, map_proof, map_root
from ledger.proofs.absence import AbsenceProof, prove_absence

keys = st.integers(0, 40).map(lambda number: b"%02d" % number)


def pairs_of(names: set[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, b"value") for name in sorted(names)]


@settings(max_examples=150)
@given(st.sets(keys, max_size=20), keys)
def test_a_key_is_proved_absent_exactly_when_it_is(names: set[bytes], key: bytes) -> None:
    pairs = pairs_of(names)
    if key in names:
        with pytest.raises(ValueError, match="has this key"):
            prove_absence(pairs, key)
    else:
        prove_absence(pairs, key).verify(map_root(pairs))


@settings(max_examples=200)
@given(st.sets(keys, min_size=1, max_size=12), st.data())
def test_no_two_leaves_with_any_indices_and_sizes_hide_a_key_that_is_there(
    names: set[bytes], data: st.DataObject
) -> None:
    pairs = pairs_of(names)
    key = data.draw(st.sampled_from(sorted(names)))

    def side(others: list[bytes]) -> LeafProof | None:
        chosen = data.draw(st.sampled_from([None, *others]))
        if chosen is None:
            return None
        true = map_proof(pairs, chosen)
        index, size = data.draw(st.integers(0, 14)), data.draw(st.integers(1, 14))
        return LeafProof(
            chosen, b"value", MapProof(index, size, true.path) if data.draw(st.booleans()) else true
        )

    proof = AbsenceProof(
        key, side([each for each in sorted(names) if each < key]), side([n for n in sorted(names) if n > key])
    )
    with pytest.raises(InvalidProof):
        proof.verify(map_root(pairs))


def test_of_a_map_without_pairs_everything_is_absent() -> None:
    prove_absence([], b"key").verify(EMPTY_ROOT)
    with pytest.raises(InvalidProof, match="room for the key"):
        prove_absence([], b"key").verify(map_root(pairs_of({b"01"})))


def test_neighbours_on_the_wrong_side_are_refused() -> None:
    pairs = pairs_of({b"01", b"03", b"05"})
    proof = prove_absence(pairs, b"02")
    assert proof.before is not None and proof.after is not None
    for wrong, reason in (
        (replace(proof, key=b"04"), "after the key is not after"),
        (replace(proof, key=b"00"), "before the key is not before"),
        (replace(proof, before=None), "room"),
        (replace(proof, after=None), "room"),
        (replace(proof, after=prove_absence(pairs, b"04").after), "room"),
    ):
        with pytest.raises(InvalidProof, match=reason):
            wrong.verify(map_root(pairs))
