"""Proof files and witnesses: size and time against validators, leaves of the state, changes of validators and height.

Run as `python benchmarks/bench_light_proofs.py`. It prints tables for people and, as its last line, one JSON object.
The reference beside each check, in the same run, is what it cannot do without: the Ed25519 verifications of one quorum.
"""

import json
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from math import log2

from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from ledger.chain.epochs import CertifiedHeader, EpochLink, Trust
from ledger.chain.header_log import HeaderLog
from ledger.chain.proofs import LeafProof
from ledger.encoding import encode
from ledger.membership.members import Membership
from ledger.merkle import MapProof, inclusion_proof, leaf_hash, root_of_hashes
from ledger.proofs.light_proof import LightProof, StateClaim
from ledger.records.blocks import VERSION, Header, header_id
from ledger.records.genesis import FoundingMember, Genesis, Role
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from ledger.witnesses.asking import CellHistory
from ledger.witnesses.witness import MayCosign, Remembered, consider

VALIDATORS = (4, 16, 40, 100, 200)
LEAVES = (100, 1_000_000)
CHANGES = (1, 10)
HEIGHTS = (1_000, 10_000, 100_000)
HEIGHT = 100_000


def main() -> None:
    """Measure and print."""
    verification_us = _verification_us()
    print(f"one verification {verification_us:.0f} us")
    print(f"{'validators':>10} {'leaves':>9} {'changes':>8} {'bytes':>8} {'check ms':>9} {'quorum ms':>10}")
    proofs = []
    for validators, leaves, changes in _cases():
        row = _proof(validators, leaves, changes)
        row["quorum_verified_alone_ms"] = (1 + changes) * _quorum(validators) * verification_us / 1000
        proofs.append(row)
        print(f"{validators:>10} {leaves:>9} {changes:>8} {row['bytes']:>8} {row['check_ms']:>9.2f} "
              f"{row['quorum_verified_alone_ms']:>10.2f}", flush=True)  # fmt: skip
    print(f"{'height':>10} {'append us':>10} {'consistency us':>15} {'nodes':>6} {'bound':>6}")
    logs = []
    for height in HEIGHTS:
        row = _log(height)
        logs.append(row)
        print(f"{height:>10} {row['append_us']:>10.2f} {row['consistency_us']:>15.1f} {row['nodes']:>6} "
              f"{int(log2(height)) + 2:>6}", flush=True)  # fmt: skip
    witness = _witness()
    print(f"a witness considers {witness['considered_per_s']:.0f} checkpoints/s of a cell of 40")
    print(json.dumps({"verification_us": verification_us, "proofs": proofs, "logs": logs, **witness}))


def _cases() -> list[tuple[int, int, int]]:
    return [
        *((validators, 10_000, 0) for validators in VALIDATORS),
        *((40, leaves, 0) for leaves in LEAVES),
        *((40, 10_000, changes) for changes in CHANGES),
    ]


def _keys(name: str, count: int) -> list[SigningKey]:
    return [SigningKey(sha256(f"{name} {index}".encode()).digest()) for index in range(count)]


def _genesis(count: int) -> tuple[Genesis, list[SigningKey]]:
    """A cell and its founders' consensus keys in the order of the validators."""
    votes = _keys("vote", count)
    founders = tuple(
        FoundingMember(
            str(index).encode(), bytes(feed.verify_key), bytes(vote.verify_key), int(Role.VALIDATOR)
        )
        for index, (feed, vote) in enumerate(zip(_keys("feed", count), votes, strict=True))
    )
    genesis = Genesis(b"bench", 1, 1, (), founders, ())
    by_key = {bytes(vote.verify_key): vote for vote in votes}
    return genesis, [by_key[key] for key in Membership.founding(genesis).validators().keys]


def _set(keys: list[SigningKey]) -> ValidatorSet:
    return ValidatorSet(tuple(bytes(key.verify_key) for key in keys))


def _decided(
    genesis: Genesis,
    height: int,
    keys: list[SigningKey],
    following: list[SigningKey],
    state_root: bytes = bytes(32),
    log_root: bytes = bytes(32),
) -> CertifiedHeader:
    nothing = bytes(32)
    header = Header(
        VERSION, height, nothing, height, height, height, 0, 0, _set(keys).hash(), _set(following).hash(),
        nothing, nothing, state_root, height - 1, log_root, nothing, nothing,
    )  # fmt: skip
    block_id = header_id(header, genesis.cell_id)
    signatures: tuple[bytes | None, ...] = tuple(
        sign_vote(key, genesis.cell_id, Vote(height, 0, Step.PRECOMMIT, block_id, -1, index)).signature
        if index < _quorum(len(keys))
        else None
        for index, key in enumerate(keys)
    )
    return CertifiedHeader(header, Certificate(height, 0, block_id, signatures))


def _quorum(validators: int) -> int:
    return 2 * validators // 3 + 1


def _proof(validators: int, leaves: int, changes: int) -> dict[str, float]:
    genesis, keys = _genesis(validators)
    key, value = b"a" + bytes(47), b"value"
    hashes = [leaf_hash(encode((key, value))), *(leaf_hash(b"%d" % each) for each in range(leaves - 1))]
    leaf = LeafProof(key, value, MapProof(0, leaves, inclusion_proof(hashes, 0)))
    epochs = [keys, *(_keys(f"epoch {each}", validators) for each in range(changes))]
    links = tuple(
        EpochLink(_decided(genesis, 10 * (index + 1), before, after), _set(after).keys)
        for index, (before, after) in enumerate(pairwise(epochs))
    )
    certified = _decided(genesis, HEIGHT, epochs[-1], epochs[-1], root_of_hashes(hashes))
    data = LightProof(genesis.cell_id, links, certified, StateClaim(leaf)).encode()
    seconds = _time(lambda: LightProof.decode(data).check(genesis))
    return {
        "validators": validators,
        "leaves": leaves,
        "changes": changes,
        "bytes": len(data),
        "check_ms": seconds * 1e3,
    }


def _log(height: int) -> dict[str, float]:
    log = HeaderLog()
    began = time.perf_counter()
    for index in range(height):
        log.append(index.to_bytes(32, "big"))
    appended = time.perf_counter() - began
    seconds = _time(lambda: log.consistency(height // 3, height))
    return {
        "height": height,
        "append_us": appended / height * 1e6,
        "consistency_us": seconds * 1e6,
        "nodes": len(log.consistency(height // 3, height)),
    }


def _witness() -> dict[str, float]:
    """A witness of a cell of forty that is shown each new block of a long log."""
    genesis, keys = _genesis(40)
    history = CellHistory(genesis.cell_id, lambda _: shown, lambda _: _set(keys).keys)
    for _ in range(10_000):
        history.log.append(bytes(32))
    height = history.height
    shown = _decided(genesis, height, keys, keys, log_root=history.log.root(height - 1))
    first = history.show(0, 1, None)
    assert first is not None
    verdict = consider(Remembered.of(genesis), first)
    assert isinstance(verdict, MayCosign)
    history.log.append(bytes(32))
    shown = _decided(genesis, height + 1, keys, keys, log_root=history.log.root(height))
    known = Remembered(verdict.remembered.checkpoint, Trust(height, _set(keys)))
    following = history.show(height - 1, height, None)
    assert following is not None
    return {"considered_per_s": 1 / _time(lambda: consider(known, following))}


def _time(work: Callable[[], object]) -> float:
    """Seconds of one call, the best of some."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _verification_us() -> float:
    key = SigningKey(b"k" * 32)
    signed, public = key.sign(bytes(110)), bytes(key.verify_key)
    return _time(lambda: [crypto_sign_open(signed, public) for _ in range(1000)]) * 1e3


if __name__ == "__main__":
    main()
