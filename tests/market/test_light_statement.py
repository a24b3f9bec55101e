"""Light proofs from files: what each proves, and which fault each that proves nothing is refused for."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.proofs.light_proof import LightProof
from ledger.records.genesis import Genesis
from market.light_statement import Statement, statement_of

FOLDER = Path(__file__).parent.parent / "vectors" / "light"
VECTORS = {
    path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json") if path.stem != "genesis"
}
GENESIS = Genesis.decode(bytes.fromhex(json.loads((FOLDER / "genesis.json").read_text())["genesis"]))
VALID = sorted(name for name in VECTORS if name.startswith("valid-"))
EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 150
PROOFS = {name: bytes.fromhex(VECTORS[name]["proof"]) for name in VALID}


def proved(data: bytes) -> Statement:
    """What a file proves, as whoever has the genesis checks it."""
    proof = LightProof.decode(data)
    proof.check(GENESIS)
    return statement_of(proof)


def plain(value: object) -> object:
    """A statement as its vector has it."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("name", VALID)
def test_a_true_proof_says_what_its_vector_says(name: str) -> None:
    statement = proved(PROOFS[name])
    assert {"is": type(statement).__name__, **asdict(statement)}.keys() == VECTORS[name]["statement"].keys()
    assert plain(asdict(statement)) == {k: v for k, v in VECTORS[name]["statement"].items() if k != "is"}


def test_there_is_a_vector_for_every_kind_of_statement() -> None:
    assert {VECTORS[name]["statement"]["is"] for name in VALID} == {
        kind.__name__ for kind in Statement.__args__
    }


@pytest.mark.parametrize("name", sorted(VECTORS.keys() - set(VALID)))
def test_a_false_proof_is_refused_for_its_fault(name: str) -> None:
    vector = VECTORS[name]
    error = {"InvalidProof": InvalidProof, "Malformed": Malformed}[vector["error"]]
    with pytest.raises(error, match=vector["reason"]):
        proved(bytes.fromhex(vector["proof"]))


@pytest.mark.parametrize("name", VALID)
def test_any_flipped_bit_is_refused_or_proves_the_identical_statement(name: str) -> None:
    data = PROOFS[name]
    expected = proved(data)
    # Whole signatures and hashes fill the longer ones: there, every third byte.
    for position in range(0, len(data), 1 if len(data) < 1_300 else 3):
        spoilt = bytearray(data)
        spoilt[position] ^= 1 << position % 8
        try:
            found = proved(bytes(spoilt))
        except PeerError:
            continue
        assert found == expected, f"byte {position}"


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(VALID), st.data())
def test_bytes_changed_inserted_or_cut_prove_nothing_else(name: str, data: st.DataObject) -> None:
    proof = bytearray(PROOFS[name])
    start = data.draw(st.integers(0, len(proof)))
    end = data.draw(st.integers(start, min(len(proof), start + 40)))
    proof[start:end] = data.draw(st.binary(max_size=40))
    try:
        assert proved(bytes(proof)) == proved(PROOFS[name])
    except PeerError:
        assert bytes(proof) != PROOFS[name]


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_hostile_bytes_raise_the_declared_error_alone(data: bytes) -> None:
    with pytest.raises(Malformed):
        LightProof.decode(data)
