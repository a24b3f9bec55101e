"""A node's demand response as its configuration asks for it."""

from collections.abc import Iterable

from devices.openadr.book import Client, EventBook
from ledger.records.entries import Entry
from node.configuration.config import Config
from node.configuration.openadr_section import OpenAdrSection
from node.demand.calls import Calls, DsoRule
from node.demand.demand import Demand, no_demand
from node.demand.site_limits import SiteLimits, SiteRule


def client_of(config: Config) -> Client:
    """Who the node is to its VTN."""
    section = config.openadr
    return Client(
        ven=section.ven_name or config.node.name,
        resource=section.resource_name,
        programs=section.programs,
        currency=section.currency,
    )


def site_rule(config: Config) -> SiteRule:
    """What limits and levels mean for this node's site."""
    section = config.openadr
    return SiteRule(config.site.import_limit_w, section.level_shares, section.least_import_w)


def dso_rule(section: OpenAdrSection, member: bytes) -> DsoRule:
    """What events mean for the cell of this node, which is a dso's."""
    service = None if section.service is None else section.service.encode()
    return DsoRule(member, service, section.branch, section.level_w, section.request_s)


def configured_demand(config: Config, member: bytes, said: Iterable[Entry]) -> Demand:
    """The demand response of a configuration; `said` is what the own feed said last."""
    section = config.openadr
    if section.vtn is None:
        return no_demand()
    calls = Calls(dso_rule(section, member)) if section.acts_for == "dso" else None
    if calls is not None:
        calls.remember(said)
    return Demand(
        book=EventBook(client_of(config)),
        limits=SiteLimits(site_rule(config) if calls is None else None),
        calls=calls,
        acts=not section.opt_out,
        with_program=section.version == "3.0",
    )
