"""Shell: every reader of bytes that a peer, a file or the control socket gives us, and what each must keep to.

The tests give these targets mutated messages, and ``scripts/fuzz_decoders.py`` searches them guided by coverage.
"""

from functools import cache

from devices.errors import MessageError
from devices.image import DerKind
from devices.json_codec import to_json
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages.control_messages import (
    Acknowledge,
    Alarm,
    AlarmCode,
    Attached,
    ChangeMode,
    DeviceEnergy,
    Downward,
    GrantLimits,
    GrantPosition,
    Heartbeat,
    MeterRecord,
    Mode,
    Position,
    Severity,
    Stop,
    Upward,
)
from devices.messages.frames import FrameReader, decode_downward, decode_upward
from devices.messages.frames import encode_frame as encode_control
from ledger.agreement.standing import Standing
from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidGenesis, Malformed, PeerError
from ledger.limits import ENTRY_BYTES, PROPOSAL_BYTES, SYNC_BYTES, VOTE_BYTES
from ledger.membership.evidence import Evidence
from ledger.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from ledger.records.blocks import decode_block, decode_header
from ledger.records.entries import decode_entry, open_entry
from ledger.records.genesis import Genesis
from ledger.records.votes import Certificate, decode_proposal, decode_vote, open_proposal, open_vote
from ledger.signing import unseal
from ledger.sync.replication import Position as FeedPosition
from ledger.sync.replication import (
    answer,
    block_request,
    blocks_request,
    feeds_request,
    read_block_reply,
    read_blocks_reply,
    read_feeds_reply,
    read_recall_reply,
    recall_request,
)
from market.rules import decode_rules
from node.wire import (
    Capacity,
    CertificateFrame,
    ProposalFrame,
    StandingFrame,
    StatusFrame,
    VoteFrame,
    decode_capacity,
    decode_frame,
    encode_capacity,
    encode_frame,
)
from sim.fuzzing.seeds import Recording, recorded
from sim.fuzzing.target import Target, silent
from sim.fuzzing.targets_of_gateways import gateway_targets
from sim.fuzzing.targets_of_payloads import payload_targets
from sim.fuzzing.targets_of_proofs import proof_targets


@cache
def targets() -> tuple[Target, ...]:
    """All of them, in a fixed order."""
    recording = recorded()
    return (
        *_signed_targets(recording),
        *_block_targets(recording),
        *_sync_targets(recording),
        *proof_targets(recording),
        *gateway_targets(),
        *_frame_targets(recording),
        *_content_targets(recording),
        *_control_targets(),
    )


def target_named(name: str) -> Target:
    """One of them. Raises KeyError."""
    return {target.name: target for target in targets()}[name]


def _signed_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id, validators = recording.genesis.cell_id, recording.validators
    entries, votes, proposals = recording.entries[:6], recording.votes[:6], recording.proposals[:3]
    entry_bodies = tuple(unseal(each, ENTRY_BYTES)[0] for each in entries)
    vote_bodies = tuple(unseal(each, VOTE_BYTES)[0] for each in votes)
    proposal_bodies = tuple(unseal(each, PROPOSAL_BYTES)[0] for each in proposals)
    return (
        Target("entry", lambda data: open_entry(data, cell_id).envelope, PeerError, entries),
        Target("entry body", lambda data: silent(decode_entry(data)), PeerError, entry_bodies),
        Target("vote", lambda data: open_vote(data, cell_id, validators).envelope, PeerError, votes),
        Target("vote body", lambda data: decode_vote(data).encode(), PeerError, vote_bodies),
        Target(
            "proposal", lambda data: open_proposal(data, cell_id, validators).envelope, PeerError, proposals
        ),
        Target("proposal body", lambda data: decode_proposal(data).encode(), PeerError, proposal_bodies),
    )


def _block_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id, validators, membership = recording.genesis.cell_id, recording.validators, recording.membership

    def certificate(data: bytes) -> bytes:
        read = Certificate.decode(data)
        written = read.encode()
        if written == data:
            read.check(cell_id, validators)
        return written

    def evidence(data: bytes) -> bytes:
        read = Evidence.decode(data)
        read.check(cell_id, membership)
        return read.encode()

    headers = tuple(decode_block(block).header.body for block in recording.blocks)
    return (
        Target("block", lambda data: decode_block(data).encode(), PeerError, recording.blocks),
        Target("header", lambda data: decode_header(data).body, PeerError, headers),
        Target("certificate", certificate, PeerError, recording.certificates),
        Target("evidence", evidence, PeerError, recording.evidence),
        *_proof_targets(),
    )


def _proof_targets() -> tuple[Target, ...]:
    leaves = tuple(b"leaf %d" % index for index in range(7))
    hashes = tuple(leaf_hash(leaf) for leaf in leaves)
    whole = root(leaves)
    included = encode((leaves[4], 4, len(leaves), whole, inclusion_proof(hashes, 4)))
    grown = encode((3, root(leaves[:3]), len(leaves), whole, consistency_proof(hashes, 3)))
    return (
        Target("inclusion proof", _inclusion_proof, PeerError, (included,)),
        Target("consistency proof", _consistency_proof, PeerError, (grown,)),
    )


def _sync_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id, archive, keys = recording.genesis.cell_id, recording.archive, recording.keys[0]
    consensus = keys.consensus.verify_key.encode()
    block_id = decode_block(recording.blocks[0]).block_id(cell_id)
    requests = (
        feeds_request([FeedPosition(each.member, 0, -1) for each in recording.keys]),
        blocks_request(1),
        block_request(block_id),
        recall_request(keys.member, consensus),
    )
    feeds, blocks, block, recall = ((answer(request, archive),) for request in requests)
    return (
        Target(
            "sync request", lambda data: silent(answer(data, archive)), PeerError, requests, 8 * SYNC_BYTES
        ),
        Target("feeds reply", lambda data: silent(read_feeds_reply(data)), PeerError, feeds),
        Target("blocks reply", lambda data: silent(read_blocks_reply(data, 1)), PeerError, blocks),
        Target(
            "block reply", lambda data: silent(read_block_reply(data, cell_id, block_id)), PeerError, block
        ),
        Target(
            "recall reply",
            lambda data: silent(read_recall_reply(data, cell_id, (keys.public,), consensus)),
            PeerError,
            recall,
        ),
    )


def _frame_targets(recording: Recording) -> tuple[Target, ...]:
    cell_id, validators = recording.genesis.cell_id, recording.validators
    standing = Standing.of(1, [open_vote(each, cell_id, validators) for each in recording.votes[:3]]).encode()
    frames = (
        VoteFrame(recording.votes[0]),
        ProposalFrame(recording.proposals[0], recording.blocks[0]),
        StatusFrame(3),
        CertificateFrame(recording.certificates[0]),
        StandingFrame(standing),
    )
    capacity = encode_capacity(Capacity(10**18, 5_000_000, 2_000_000, 640, 990, 1))
    return (
        Target(
            "frame",
            lambda data: encode_frame(decode_frame(data)),
            PeerError,
            tuple(encode_frame(frame) for frame in frames),
        ),
        Target("standing", lambda data: Standing.decode(data).encode(), PeerError, (standing,)),
        Target("capacity", lambda data: encode_capacity(decode_capacity(data)), PeerError, (capacity,)),
    )


def _content_targets(recording: Recording) -> tuple[Target, ...]:
    return (Target("genesis", _genesis, InvalidGenesis, (recording.genesis.encode(),)), *payload_targets())


def _control_targets() -> tuple[Target, ...]:
    downward: tuple[Downward, ...] = (
        Heartbeat(Lease(True, False, 10, 10**18, "daemon", 7)),
        GrantPosition(Lease(Position(1000, 250_000), None, 10, 10**18, "daemon", 8)),
        GrantLimits(Lease(PowerRange(-5000.0, 4000.5), PowerRange(0.0, 0.0), 10, 10**18, "owner", 1)),
        ChangeMode(Mode.STANDBY),
        Acknowledge(1000),
        Stop(),
    )
    upward: tuple[Upward, ...] = (
        Attached(4711, 5000.0, 5000.0, 10_000.0),
        MeterRecord(1000, 5, 0, True, (DeviceEnergy("battery", DerKind.BATTERY, 5, 0),)),
        Alarm(AlarmCode.POWER_UNKNOWN, Severity.WARNING, True, None, "text", 10**18),
    )
    return (
        Target(
            "control frames", _control_frames, MessageError, tuple(encode_control(each) for each in downward)
        ),
        Target(
            "control word",
            lambda data: silent(decode_downward(data)),
            MessageError,
            tuple(map(to_json, downward)),
        ),
        Target(
            "control report",
            lambda data: silent(decode_upward(data)),
            MessageError,
            tuple(map(to_json, upward)),
        ),
    )


def _inclusion_proof(data: bytes) -> None:
    match decode(data, max_bytes=SYNC_BYTES):
        case (bytes(leaf), int(index), int(size), bytes(root), tuple(path)):
            verify_inclusion(leaf, index, size, _nodes(path), root)
        case _:
            raise Malformed("no inclusion proof")


def _consistency_proof(data: bytes) -> None:
    match decode(data, max_bytes=SYNC_BYTES):
        case (int(old_size), bytes(old_root), int(new_size), bytes(new_root), tuple(path)):
            verify_consistency(old_size, old_root, new_size, new_root, _nodes(path))
        case _:
            raise Malformed("no consistency proof")


def _nodes(path: tuple[Value, ...]) -> list[bytes]:
    nodes = [node for node in path if isinstance(node, bytes)]
    if len(nodes) != len(path):
        raise Malformed("a proof is of byte strings")
    return nodes


def _genesis(data: bytes) -> bytes:
    genesis = Genesis.decode(data)
    decode_rules(genesis.application)
    return genesis.encode()


def _control_frames(data: bytes) -> None:
    """A stream in pieces, as a socket gives it."""
    reader = FrameReader()
    for start in range(0, len(data), 1000):
        for body in reader.feed(data[start : start + 1000]):
            decode_downward(body)
