"""The agreed state of grid services: terms in force, what is armed, reports and requests of open intervals.

Power is mW, energy mWh, prices µ/kWh. Mappings in here are never changed after they were built.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from market.services.payloads import (
    ServiceReport,
    ServiceRequest,
    ServiceTerms,
    decode_report,
    decode_request,
    decode_terms,
    encode_report,
    encode_request,
    encode_terms,
)

LEAF_KEY: Final = b"service/"
_INTERVAL_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class TermsStep:
    """Terms that hold from an interval on; `payer` is the dso's member that said them and pays."""

    from_interval: int
    payer: bytes
    terms: ServiceTerms


@dataclass(frozen=True, slots=True)
class ArmedSpan:
    """What a member arms for one service from the interval `first` to `last`, both included."""

    first: int
    last: int
    up_mw: int
    down_mw: int


@dataclass(frozen=True, slots=True)
class StandingRequest:
    """A request that counts, by the id of its entry; `withdrawn_ns`: when its dso took it back, None: it did not."""

    id: bytes
    author: bytes
    request: ServiceRequest
    withdrawn_ns: int | None = None

    @property
    def end_ns(self) -> int:
        """The cell time at which it ends, or has ended."""
        return self.request.end_ns if self.withdrawn_ns is None else self.withdrawn_ns


@dataclass(frozen=True, slots=True)
class ServiceBook:
    """Everything that holds of grid services.

    `terms` are by name, each ascending by interval; `armed` by (name, member), ascending and without overlap;
    `reports` by (interval, name, member); `requests` in the order in which blocks took them.
    """

    terms: Mapping[bytes, tuple[TermsStep, ...]] = field(default_factory=dict)
    armed: Mapping[tuple[bytes, bytes], tuple[ArmedSpan, ...]] = field(default_factory=dict)
    reports: Mapping[tuple[int, bytes, bytes], ServiceReport] = field(default_factory=dict)
    requests: tuple[StandingRequest, ...] = ()

    def terms_at(self, name: bytes, interval: int) -> TermsStep | None:
        """The terms of a service in an interval, None before the first."""
        return terms_at(self.terms.get(name, ()), interval)

    def armed_at(self, name: bytes, interval: int) -> dict[bytes, ArmedSpan]:
        """What is armed for a service in an interval, by member, ascending by id."""
        found = {}
        for (service, member), spans in self.armed.items():
            span = span_at(spans, interval) if service == name else None
            if span is not None:
                found[member] = span
        return dict(sorted(found.items()))

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """The leaves of the state that are about services; none where nothing was ever said."""
        for name, steps in self.terms.items():
            said = tuple((step.from_interval, step.payer, encode_terms(step.terms)) for step in steps)
            yield LEAF_KEY + b"terms/" + name, encode(said)
        for (name, member), spans in self.armed.items():
            rows = tuple((span.first, span.last, span.up_mw, span.down_mw) for span in spans)
            yield LEAF_KEY + b"armed/" + member + name, encode(rows)
        for (interval, name, member), report in self.reports.items():
            key = interval.to_bytes(_INTERVAL_BYTES, "big") + member + name
            yield LEAF_KEY + b"report/" + key, encode(encode_report(report))
        if self.requests:
            asked = tuple(
                (each.id, each.author, encode_request(each.request))
                + (() if each.withdrawn_ns is None else (each.withdrawn_ns,))
                for each in self.requests
            )
            yield LEAF_KEY + b"requests", encode(asked)


def terms_at(steps: Iterable[TermsStep], interval: int) -> TermsStep | None:
    """The latest of the steps that has begun in an interval."""
    return max((step for step in steps if step.from_interval <= interval), key=_begin, default=None)


def span_at(spans: Iterable[ArmedSpan], interval: int) -> ArmedSpan | None:
    """The span that an interval lies in."""
    return next((span for span in spans if span.first <= interval <= span.last), None)


def book_of_leaves(leaves: Mapping[bytes, Value]) -> ServiceBook:
    """The book that has these leaves, keys without `LEAF_KEY`. Raises `PeerError`."""
    terms: dict[bytes, tuple[TermsStep, ...]] = {}
    armed: dict[tuple[bytes, bytes], tuple[ArmedSpan, ...]] = {}
    reports: dict[tuple[int, bytes, bytes], ServiceReport] = {}
    requests: tuple[StandingRequest, ...] = ()
    for key, value in leaves.items():
        what, slash, rest = key.partition(b"/")
        rows = _array(value)
        if slash and what == b"terms":
            terms[rest] = tuple(_step_from(row, rest) for row in rows)
        elif slash and what == b"armed":
            armed[rest[ID_BYTES:], rest[:ID_BYTES]] = tuple(_span_from(row) for row in rows)
        elif slash and what == b"report":
            report = decode_report(rows)
            interval, member = rest[:_INTERVAL_BYTES], rest[_INTERVAL_BYTES : _INTERVAL_BYTES + ID_BYTES]
            if rest[_INTERVAL_BYTES + ID_BYTES :] != report.name:
                raise Malformed("a report is kept under the name of its service")
            reports[int.from_bytes(interval, "big"), report.name, member] = report
        elif not slash and what == b"requests" and rows:
            requests = tuple(_request_from(row) for row in rows)
        else:
            raise Malformed("a leaf of services that says nothing")
    return ServiceBook(
        dict(sorted(terms.items())),
        dict(sorted(armed.items(), key=itemgetter(0))),
        dict(sorted(reports.items(), key=itemgetter(0))),
        requests,
    )


def _begin(step: TermsStep) -> int:
    return step.from_interval


def _step_from(row: Value, name: bytes) -> TermsStep:
    match row:
        case (int(from_interval), bytes(payer), tuple(payload)) if len(payer) == ID_BYTES:
            terms = decode_terms(payload)
            if terms.name == name:
                return TermsStep(from_interval, payer, terms)
    raise Malformed("terms have an interval, a payer and what they say of the service they are kept under")


def _span_from(row: Value) -> ArmedSpan:
    match row:
        case (int(first), int(last), int(up_mw), int(down_mw)):
            return ArmedSpan(first, last, up_mw, down_mw)
    raise Malformed("a span has two intervals and two powers")


def _request_from(row: Value) -> StandingRequest:
    match row:
        case (bytes(id_), bytes(author), tuple(payload)) if len(id_) == len(author) == ID_BYTES:
            return StandingRequest(id_, author, decode_request(payload))
        case (bytes(id_), bytes(author), tuple(payload), int(withdrawn_ns)) if (
            len(id_) == len(author) == ID_BYTES
        ):
            return StandingRequest(id_, author, decode_request(payload), withdrawn_ns)
    raise Malformed("a request has an id, an author and what it says")


def _array(value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise Malformed("not an array")
    return value
