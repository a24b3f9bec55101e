"""Shell: valid messages of every kind, from a short run of a real cell: what fuzzing begins with."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry, author_entry, open_entry
from ledger.records.genesis import Genesis
from ledger.records.validators import Epoch, ValidatorSet
from ledger.records.votes import (
    decode_proposal,
    decode_vote,
    open_proposal,
    open_vote,
    sign_proposal,
    sign_vote,
)
from ledger.store.archive import StoreArchive
from node.views.proving import What, prove
from sim.cells.crash_points import CrashRun
from sim.cells.keys import FIRST_INTERVAL, Keys


@dataclass(frozen=True, slots=True)
class Recording:
    """What a cell of four said in three heights; all encoded as it travels."""

    genesis: Genesis
    keys: tuple[Keys, ...]
    membership: Membership
    validators: ValidatorSet
    archive: StoreArchive
    entries: tuple[bytes, ...]
    votes: tuple[bytes, ...]
    proposals: tuple[bytes, ...]
    blocks: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    evidence: tuple[bytes, ...]
    proofs: tuple[bytes, ...]


@cache
def recorded() -> Recording:
    """The recording; the same in every process."""
    run = CrashRun(None)
    run.run()
    genesis, store = run.genesis, run.nodes[0].store
    membership = Membership.founding(genesis)
    validators = membership.validators()
    rows = [row for height in range(1, store.height() + 1) if (row := store.block(height)) is not None]
    votes = [vote for row in rows for vote in store.votes(row.height)]
    entries = [
        envelope for member in membership.members for envelope in store.envelopes(member.id, 0, -1, 100)
    ]
    recording = Recording(
        genesis=genesis,
        keys=tuple(run.keys),
        membership=membership,
        validators=validators,
        archive=StoreArchive(store, lambda _: None, lambda: (Epoch(1, validators),)),
        entries=tuple(entries),
        votes=tuple(vote.envelope for vote in votes if vote.step != 0),
        proposals=tuple(vote.envelope for vote in votes if vote.step == 0),
        blocks=tuple(row.block for row in rows),
        certificates=tuple(row.certificate for row in rows),
        evidence=(),
        proofs=_proofs(run),
    )
    return replace(recording, evidence=_evidence(recording))


def _proofs(run: CrashRun) -> tuple[bytes, ...]:
    """Proof files of one of each kind."""
    with TemporaryDirectory(prefix="wattswarm-fuzz-") as temporary:
        directory = Path(temporary) / "home-0"
        run.nodes[0].save(directory)
        asked = ((What.BALANCE, None), (What.FILL, FIRST_INTERVAL), (What.READING, FIRST_INTERVAL))
        return tuple(prove(directory, "home-0", what, interval).encode() for what, interval in asked)


def _evidence(recording: Recording) -> tuple[bytes, ...]:
    """One of each kind, against members that would have signed something else too."""
    cell_id, validators = recording.genesis.cell_id, recording.validators
    entry = open_entry(recording.entries[0], cell_id)
    vote = open_vote(recording.votes[0], cell_id, validators)
    proposal = open_proposal(recording.proposals[0], cell_id, validators)
    other_entry = _other_entry(recording, entry)
    voter, proposer = (
        next(keys for keys in recording.keys if keys.consensus.verify_key.encode() == signer)
        for signer in (vote.signer, proposal.signer)
    )
    other_vote = sign_vote(voter.consensus, cell_id, replace(decode_vote(vote.body), block_id=cell_id))
    other_proposal = sign_proposal(
        proposer.consensus, cell_id, replace(decode_proposal(proposal.body), block_id=cell_id)
    )
    return (
        Evidence.of_entries(entry, other_entry).encode(),
        Evidence.of_votes(vote, other_vote).encode(),
        Evidence.of_proposals(proposal, other_proposal).encode(),
    )


def _other_entry(recording: Recording, entry: SignedEntry) -> SignedEntry:
    author = next(keys for keys in recording.keys if keys.public == entry.entry.author)
    changed = replace(entry.entry, time_ns=entry.entry.time_ns + 1)
    return author_entry(author.feed, recording.genesis.cell_id, changed)
