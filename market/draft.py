"""The working copy of a cell's state while one block is applied.

It shares with the state it came from whatever the block does not touch: nothing of the old state is ever
changed. Energies are mWh, money pico-currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import itemgetter

from ledger.chain.application import BlockInput
from ledger.chain.journal import Balances, Posting, PostingSet
from ledger.records.genesis import Role
from market.admission import rules_with
from market.cell_state import CellState, ClearedInterval, IntervalRecord
from market.emergency.draft import EmergencyDraft
from market.outcomes import RecordedEntry, Rejected
from market.payloads import Quality, Reading
from market.rules import TariffStep
from market.services.draft import BookDraft
from market.settlement import Amounts, Reason
from market.virtual_battery.book import Aggregators


class StateDraft:
    """One block's changes on top of `state`; `finish` gives the next state.

    `frozen` are those whose entries no longer count, who left included. `touched` holds the new readings by
    interval and member, `metered` those of branches by interval and branch, which are folded into the records when
    they settle. `transfer_parts` are those of a proof from the cell above that is not complete yet.
    """

    def __init__(self, state: CellState, block: BlockInput) -> None:
        self.rules = rules_with(state.rules, block.membership, block.last_interval)
        self.block = block
        self.postings: list[PostingSet] = []
        self._balances = state.balances
        self._booked = 0
        self.tariffs = state.tariffs
        self.limits = state.limits
        self.services = BookDraft.of(state.services)
        self.administration = state.administration
        self.emergency = EmergencyDraft.of(state.emergency)
        self.virtual_batteries = state.virtual_batteries
        self.curves = dict(state.curves)
        self.records = dict(state.records)
        self.last_measured = dict(state.last_measured)
        self.touched: dict[int, dict[bytes, Reading]] = {}
        self.metered: dict[int, dict[int, Reading]] = {}
        self.transfer_parts: list[bytes] = []
        self.rejected: list[Rejected] = []
        self.recorded: list[RecordedEntry] = []
        self.frozen = frozenset(
            member.id
            for member in block.membership.everyone
            if member.frozen_at is not None or member.left_at is not None
        )
        self._agreed_batteries = state.virtual_batteries
        self._aggregators: dict[int, Aggregators] = {}

    def aggregators(self, interval: int) -> Aggregators:
        """Who bids for whom in an interval, as it was agreed before this block."""
        if interval not in self._aggregators:
            found = self._agreed_batteries.aggregators(self.rules, interval, self.frozen)
            self._aggregators[interval] = found
        return self._aggregators[interval]

    @property
    def last_delivered(self) -> int:
        """The last interval whose end lies before the gate of this block."""
        return self.block.last_interval - 2

    def is_over(self, interval: int) -> bool:
        """Whether the interval has ended by the time of this block, which may come later than its gate."""
        ended = self.rules.calendar.end_ns(interval) <= self.block.time_ns
        return interval <= self.last_delivered or (interval < self.block.last_interval and ended)

    def tariff_at(self, interval: int) -> TariffStep:
        """The tariff in force, the operator's later steps included."""
        return self.rules.tariff_at(interval, self.tariffs)

    def settling_tariff(self, interval: int, *, emergency: bool) -> TariffStep:
        """The tariff that an interval settles at; in an emergency that of the genesis, if it has one."""
        prices = self.rules.emergency_tariff
        if not emergency or prices is None:
            return self.tariff_at(interval)
        return TariffStep(interval, prices.import_price, prices.export_price)

    def has_role(self, member: bytes, role: Role) -> bool:
        """Whether a member of the cell has the role."""
        known = self.block.membership.by_id(member)
        return known is not None and bool(known.roles & role)

    def post(self, reason: Reason, interval: int, amounts: Amounts) -> None:
        """Post one set; accounts that do not move are left out."""
        postings = tuple(Posting(account, amount) for account, amount in sorted(amounts.items()) if amount)
        if postings:
            self.postings.append(PostingSet(int(reason), interval, postings))

    @property
    def balances(self) -> Balances:
        """The balances after everything posted so far."""
        if self._booked < len(self.postings):
            self._balances = self._balances.post(self.postings[self._booked :])
            self._booked = len(self.postings)
        return self._balances

    def open_record(
        self,
        interval: int,
        tariff: TariffStep,
        prices: tuple[int | None, ...],
        contracts: Mapping[bytes, int],
        losses: int = 0,
        *,
        aggregators: Aggregators,
    ) -> None:
        """Begin the record of an interval whose contracts stand."""
        self.records[interval] = IntervalRecord(
            interval, tariff, prices, contracts, {}, losses=losses, aggregators=aggregators
        )

    def without(self, record: IntervalRecord, members: Iterable[bytes]) -> None:
        """Take the members' positions out of a record, and themselves out of virtual batteries."""
        gone = frozenset(members)
        self.records[record.interval] = replace(
            record,
            contracts={each: position for each, position in record.contracts.items() if each not in gone},
            aggregators={
                each: aggregator
                for each, aggregator in record.aggregators.items()
                if each not in gone and aggregator not in gone
            },
        )

    def reading_of(self, record: IntervalRecord, member: bytes) -> Reading | None:
        """The reading that counts for a member now, those of this block included."""
        return self.touched.get(record.interval, {}).get(member) or record.readings.get(member)

    def meters_of(self, record: IntervalRecord) -> dict[int, Reading]:
        """What the meters of branches counted, this block's entries included."""
        return {**record.meters, **self.metered.get(record.interval, {})}

    def take_reading(self, interval: int, member: bytes, reading: Reading) -> None:
        """Note a reading; the latest measured one also serves as an estimate for others."""
        self.touched.setdefault(interval, {})[member] = reading
        if reading.quality is Quality.MEASURED:
            latest = self.last_measured.get(member)
            if latest is None or interval >= latest[0]:
                self.last_measured[member] = (interval, reading)

    def finish(self, pending: ClearedInterval) -> CellState:
        """The next state: what is over is dropped."""
        last = self.block.last_interval
        closed = self.last_delivered - self.rules.reading_deadline - self.rules.correction_window
        records = {
            interval: record
            for interval, record in sorted(self.records.items(), key=itemgetter(0))
            if interval > closed or not record.settled
        }
        oldest = min(records, default=last)
        return CellState(
            rules=self.rules,
            last_interval=last,
            balances=self.balances,
            tariffs=self._open_tariffs(),
            limits=tuple(each for each in self.limits if each.limit.last > last),
            curves={
                (interval, member): curve
                for (interval, member), curve in sorted(self.curves.items(), key=itemgetter(0))
                if interval > last and member not in self.frozen
            },
            pending=pending,
            records=records,
            last_measured=dict(sorted(self.last_measured.items(), key=itemgetter(0))),
            services=self.services.finish(last, oldest, self.frozen, self.rules.calendar.interval_ns),
            administration=self.administration,
            emergency=self.emergency.finish(last, self.frozen),
            virtual_batteries=self.virtual_batteries.without(self.frozen),
        )

    def _open_tariffs(self) -> tuple[TariffStep, ...]:
        """The operator's steps that still matter: the one in force after this block and all later ones."""
        following = self.block.last_interval + 1
        current = [step for step in self.tariffs if step.from_interval <= following]
        return (*current[-1:], *(step for step in self.tariffs if step.from_interval > following))
