"""Shell: readers of what proves something to whoever was not there: snapshots, proof files, witnesses, changes."""

from ledger.blocks import decode_block
from ledger.changes import Change, NumberedChange, Readmit, Remove, Rotate, open_change, sign_change
from ledger.epochs import CertifiedHeader
from ledger.errors import PeerError
from ledger.light_proof import LightProof
from ledger.limits import SYNC_BYTES
from ledger.replication import answer
from ledger.snapshot_transfer import part_request, read_snapshot_reply, snapshot_request
from ledger.state_snapshot import decode_cover, restore
from ledger.votes import Certificate
from ledger.witness_messages import (
    AddCheckpoint,
    Checkpoint,
    Cosigned,
    Differs,
    cosign,
    decode_reply,
    open_cosignature,
)
from market.cell import EnergyCell
from market.light_statement import statement_of
from node.wire import Whereabouts, decode_whereabouts, encode_whereabouts
from sim.cells.keys import Keys
from sim.cells.membership import ADMISSION_KEY, newcomer
from sim.fuzzing.seeds import Recording
from sim.fuzzing.target import Target, silent

WITNESS = Keys.of(40).feed


def proof_targets(recording: Recording) -> tuple[Target, ...]:
    """All of them, in a fixed order."""
    addresses = encode_whereabouts(
        Whereabouts(10**18, ("/ip4/192.0.2.7/tcp/9400", "/ip6/2001:db8::1/tcp/9400"))
    )
    return (
        *_snapshot_targets(recording),
        *_witness_targets(recording),
        *_change_targets(recording),
        Target("light proof", lambda data: _light_proof(data, recording), PeerError, recording.proofs),
        Target("addresses", lambda data: silent(decode_whereabouts(data)), PeerError, (addresses,)),
    )


def _snapshot_targets(recording: Recording) -> tuple[Target, ...]:
    archive, genesis = recording.archive, recording.genesis
    reply = answer(snapshot_request(0), archive)
    fetch = read_snapshot_reply(b"", reply, 0, genesis.cell_id, recording.validators)
    assert fetch is not None, "the recording has a snapshot"
    parts = [answer(part_request(fetch.height, index), archive) for index in range(len(fetch.cover.parts))]

    def snapshot_reply(data: bytes) -> None:
        read_snapshot_reply(b"", data, 0, genesis.cell_id, recording.validators)

    def part_reply(data: bytes) -> None:
        begun = read_snapshot_reply(b"", reply, 0, genesis.cell_id, recording.validators)
        assert begun is not None
        begun.take(0, data)

    def part_content(data: bytes) -> None:
        """A part that hashes to what a cover names, with anything in it."""
        restore(fetch.cover, (data, *whole[1:]), genesis, EnergyCell())

    for index, part in enumerate(parts):
        fetch.take(index, part)
    whole = tuple(fetch.parts)
    cover = fetch.cover.encode()
    return (
        Target("snapshot reply", snapshot_reply, PeerError, (reply,), SYNC_BYTES),
        Target("cover", lambda data: decode_cover(data).encode(), PeerError, (cover,)),
        Target("part reply", part_reply, PeerError, (parts[0],), SYNC_BYTES),
        Target("part", part_content, PeerError, (whole[0],), SYNC_BYTES),
    )


def _witness_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id = recording.genesis.cell_id
    block, certificate = decode_block(recording.blocks[-1]), Certificate.decode(recording.certificates[-1])
    cosignature = cosign(WITNESS, cell_id, Checkpoint(2, bytes(32)), 10**18)
    certified = CertifiedHeader(block.header, certificate)
    question = AddCheckpoint(cell_id, 1, 1, (), certified, (bytes(32),), cosignature.envelope)
    public = WITNESS.verify_key.encode()
    return (
        Target(
            "witness' question",
            lambda data: AddCheckpoint.decode(data).encode(),
            PeerError,
            (question.encode(),),
        ),
        Target(
            "witness' reply",
            lambda data: decode_reply(data).encode(),
            PeerError,
            (Cosigned(cosignature.envelope).encode(), Differs(2, 1).encode()),
        ),
        Target(
            "cosignature",
            lambda data: open_cosignature(data, cell_id, public).envelope,
            PeerError,
            (cosignature.envelope,),
        ),
    )


def _change_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id, member = recording.genesis.cell_id, recording.keys[0].member
    key, admitting = Keys.of(41).public, (ADMISSION_KEY.verify_key.encode(),)
    changes: tuple[Change, ...] = (
        newcomer(9),
        Remove(member),
        Rotate(member, key, None),
        Readmit(member, 1, key),
    )
    numbered = [NumberedChange(number, change) for number, change in enumerate(changes, start=1)]
    envelopes = tuple(sign_change(ADMISSION_KEY, cell_id, each) for each in numbered)
    bodies = tuple(each.encode() for each in numbered)
    return (
        Target("change", lambda data: silent(open_change(data, cell_id, admitting)), PeerError, envelopes),
        Target("change body", lambda data: NumberedChange.decode(data).encode(), PeerError, bodies),
    )


def _light_proof(data: bytes, recording: Recording) -> bytes:
    proof = LightProof.decode(data)
    written = proof.encode()
    proof.check(recording.genesis)
    statement_of(proof)
    return written
