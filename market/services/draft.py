"""The working copy of the service book while one block is applied."""

from dataclasses import dataclass, field, replace
from operator import itemgetter

from market.services.book import ArmedSpan, ServiceBook, StandingRequest, TermsStep
from market.services.payloads import ServiceReport, ServiceTerms


@dataclass(slots=True)
class BookDraft:
    """One block's changes on top of a book, which itself stays as it is; `finish` gives the next book."""

    terms: dict[bytes, tuple[TermsStep, ...]] = field(default_factory=dict)
    armed: dict[tuple[bytes, bytes], tuple[ArmedSpan, ...]] = field(default_factory=dict)
    reports: dict[tuple[int, bytes, bytes], ServiceReport] = field(default_factory=dict)
    requests: tuple[StandingRequest, ...] = ()

    @staticmethod
    def of(book: ServiceBook) -> "BookDraft":
        """The draft that begins with a book."""
        return BookDraft(dict(book.terms), dict(book.armed), dict(book.reports), book.requests)

    @property
    def book(self) -> ServiceBook:
        """The book as it stands now; it shares what it has with the draft, so it is for reading at once."""
        return ServiceBook(self.terms, self.armed, self.reports, self.requests)

    def finish(
        self, last_interval: int, oldest: int, gone: frozenset[bytes], interval_ns: int
    ) -> ServiceBook:
        """The next book: what concerns only intervals before `oldest` is dropped.

        Terms of a payer that is `gone` (frozen, or left) end with the block's last interval, and so does what a
        member that is gone has armed.
        """
        return ServiceBook(
            terms={
                name: steps
                for name in sorted(self.terms)
                if (steps := _open_steps(_ended(self.terms[name], last_interval, gone), oldest))
            },
            armed={
                key: spans
                for key, before in sorted(self.armed.items(), key=itemgetter(0))
                if (spans := _open_spans(before, oldest, last_interval if key[1] in gone else None))
            },
            reports={
                key: report
                for key, report in sorted(self.reports.items(), key=itemgetter(0))
                if key[0] >= oldest
            },
            requests=tuple(each for each in self.requests if (each.end_ns - 1) // interval_ns >= oldest),
        )


def cut_before(spans: tuple[ArmedSpan, ...], first: int) -> tuple[ArmedSpan, ...]:
    """What is left of spans when something else begins in an interval."""
    return tuple(replace(span, last=min(span.last, first - 1)) for span in spans if span.first < first)


def _ended(steps: tuple[TermsStep, ...], last_interval: int, gone: frozenset[bytes]) -> tuple[TermsStep, ...]:
    payer = steps[-1].payer
    if payer not in gone or _buys_nothing(steps[-1].terms):
        return steps
    nothing = replace(steps[-1].terms, up_mw=0, down_mw=0)
    begun = tuple(step for step in steps if step.from_interval <= last_interval)
    return (*begun, TermsStep(last_interval + 1, payer, nothing))


def _open_steps(steps: tuple[TermsStep, ...], oldest: int) -> tuple[TermsStep, ...]:
    """The step in force in the oldest open interval and all later ones; none once the service has ended."""
    current = [step for step in steps if step.from_interval <= oldest][-1:]
    later = [step for step in steps if step.from_interval > oldest]
    if not later and current and _buys_nothing(current[0].terms):
        return ()
    return (*current, *later)


def _open_spans(spans: tuple[ArmedSpan, ...], oldest: int, until: int | None) -> tuple[ArmedSpan, ...]:
    kept = spans if until is None else cut_before(spans, until + 1)
    return tuple(span for span in kept if span.last >= oldest)


def _buys_nothing(terms: ServiceTerms) -> bool:
    return terms.up_mw == terms.down_mw == 0
