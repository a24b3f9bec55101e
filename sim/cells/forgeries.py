"""Shell: messages that no honest member sends: what cheats of a simulated cell put in the place of their own.

Each function takes what the cheat's own daemon would have sent and returns what it sends instead or besides.
"""

from dataclasses import replace
from random import Random

from ledger.blocks import Block, decode_block, evidence_root
from ledger.encoding import decode, encode
from ledger.entries import SignedEntry, author_entry, open_entry
from ledger.evidence import Evidence
from ledger.limits import ENTRY_BYTES, PROPOSAL_BYTES, SYNC_BYTES, VOTE_BYTES
from ledger.replication import Kind
from ledger.signing import MessageType, seal, sign, unseal
from ledger.votes import (
    NO_ROUND,
    Proposal,
    Step,
    Vote,
    decode_proposal,
    decode_vote,
    sign_proposal,
    sign_vote,
)
from node.wire import ProposalFrame, VoteFrame, encode_frame
from sim.cells.keys import Keys

LOW_ORDER = bytes.fromhex("01" + "00" * 31) + bytes(32)
"""A signature whose point has a low order and whose scalar is nought: careless verifiers take it for many keys."""
ANOTHER_CELL = b"another cell".ljust(32, b".")


def own_vote(keys: Keys, cell_id: bytes, envelope: bytes) -> Vote | None:
    """The vote in an envelope, if it is the cheat's own: daemons pass on votes of others too."""
    vote = decode_vote(unseal(envelope, VOTE_BYTES)[0])
    return vote if sign_vote(keys.consensus, cell_id, vote).envelope == envelope else None


def own_proposal(keys: Keys, cell_id: bytes, envelope: bytes) -> Proposal | None:
    """The proposal in an envelope, if it is the cheat's own."""
    proposal = decode_proposal(unseal(envelope, PROPOSAL_BYTES)[0])
    return proposal if sign_proposal(keys.consensus, cell_id, proposal).envelope == envelope else None


def reproposed(keys: Keys, cell_id: bytes, proposal: Proposal, block: Block) -> bytes:
    """The frame that proposes another block in the place of one."""
    other = replace(proposal, block_id=block.block_id(cell_id))
    return encode_frame(ProposalFrame(sign_proposal(keys.consensus, cell_id, other).envelope, block.encode()))


def later_block(encoded: bytes) -> Block:
    """Another block that is as good: made a nanosecond later."""
    block = decode_block(encoded)
    return replace(block, header=replace(block.header, time_ns=block.header.time_ns + 1))


def wrong_block(encoded: bytes, random: Random) -> Block:
    """A block whose clearing, state, log or certificate is not what follows from it."""
    block = decode_block(encoded)
    header, lie = block.header, random.randbytes(32)
    wrong = (
        replace(header, clearing_hash=lie),
        replace(header, state_root=lie),
        replace(header, log_root=lie),
        replace(header, validators_hash=lie),
    )
    return replace(block, header=random.choice(wrong))


def false_accusation(victim: int, cell_id: bytes, random: Random) -> bytes:
    """Evidence that proves nothing: two votes of one step that the victim never signed."""
    votes = [Vote(1, 0, Step.PREVOTE, block_id, NO_ROUND, victim).encode() for block_id in (None, cell_id)]
    (first, first_sign), (second, second_sign) = (
        (body, random.choice((LOW_ORDER, random.randbytes(64)))) for body in sorted(votes)
    )
    return Evidence(MessageType.VOTE, first, first_sign, second, second_sign).encode()


def accusing_block(encoded: bytes, lie: bytes) -> Block:
    """A block with false evidence in it."""
    block = decode_block(encoded)
    return replace(block, evidence=(lie,), header=replace(block.header, evidence_root=evidence_root((lie,))))


def out_of_turn(keys: Keys, cell_id: bytes, vote: Vote) -> bytes:
    """A proposal for the round of a vote, whoever's turn it is."""
    block_id = cell_id if vote.block_id is None else vote.block_id
    proposal = Proposal(vote.height, vote.round, NO_ROUND, block_id, vote.validator)
    return encode_frame(ProposalFrame(sign_proposal(keys.consensus, cell_id, proposal).envelope, None))


def forged_votes(vote: Vote, members: int, random: Random) -> list[bytes]:
    """Votes against the own one in the names of all, under signatures that are none."""
    other = replace(
        vote, block_id=random.randbytes(32) if vote.block_id is None else None, valid_round=NO_ROUND
    )
    return [
        encode_frame(
            VoteFrame(
                seal(
                    replace(other, validator=index).encode(),
                    random.choice((LOW_ORDER, random.randbytes(64), bytes(64))),
                )
            )
        )
        for index in range(members)
    ]


def forged_entry(envelope: bytes, victim: bytes, random: Random) -> bytes:
    """The own entry in another's name."""
    fields = decode(unseal(envelope, ENTRY_BYTES)[0], max_bytes=ENTRY_BYTES)
    assert isinstance(fields, tuple)
    body = encode((fields[0], victim, *fields[2:]))
    return seal(body, random.choice((LOW_ORDER, random.randbytes(64))))


def vote_of_another_cell(keys: Keys, vote: Vote) -> bytes:
    """A vote against the own one, signed for another cell and shown in this one."""
    other = replace(vote, block_id=None if vote.block_id is not None else ANOTHER_CELL, valid_round=NO_ROUND)
    return encode_frame(VoteFrame(sign_vote(keys.consensus, ANOTHER_CELL, other).envelope))


def vote_of_another_type(keys: Keys, cell_id: bytes, vote: Vote) -> bytes:
    """A vote against the own one whose signature was made for an entry."""
    other = replace(vote, block_id=None if vote.block_id is not None else cell_id, valid_round=NO_ROUND)
    signature = sign(keys.consensus, MessageType.ENTRY, cell_id, other.encode())
    return encode_frame(VoteFrame(seal(other.encode(), signature)))


def entry_of_another_cell(keys: Keys, envelope: bytes, cell_id: bytes) -> bytes:
    """Another entry at the place of the own one, signed for another cell: it must prove nothing."""
    entry = open_entry(envelope, cell_id).entry
    return author_entry(keys.feed, ANOTHER_CELL, replace(entry, time_ns=entry.time_ns + 1)).envelope


def without_block(reply: bytes) -> bytes:
    """The answer of somebody who does not have the block."""
    match decode(reply, max_bytes=SYNC_BYTES):
        case (Kind.BLOCK, *_):
            return encode((Kind.BLOCK, None, None))
    return reply


def endless(reply: bytes) -> bytes:
    """The answer of somebody who always has more."""
    match decode(reply, max_bytes=SYNC_BYTES):
        case (Kind.FEEDS, _, items):
            return encode((Kind.FEEDS, 1, items))
        case (Kind.BLOCKS, int(height), items):
            return encode((Kind.BLOCKS, height + 1000, items))
    return reply


def entries_under_an_old_key(old: Keys, cell_id: bytes, last: SignedEntry) -> tuple[bytes, bytes]:
    """What a thief of a key that was given up says: one entry more, and another in the place of the last."""
    entry = last.entry
    more = replace(entry, sequence=entry.sequence + 1, previous=last.id)
    other = replace(entry, time_ns=entry.time_ns + 1)
    return author_entry(old.feed, cell_id, more).envelope, author_entry(old.feed, cell_id, other).envelope
