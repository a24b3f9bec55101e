"""The page: one file, nothing from the network, names shown as text."""

import re
from dataclasses import replace
from typing import Any

from market.reporting.page import member_cells, report_page
from market.reporting.report import Report, build_report

FIRST = 100


def report_of(world: Any) -> Report:
    world.block(world.order(0, FIRST, sells=[(50, 100)]), world.order(1, FIRST, buys=[(250, 100)]))
    world.block()
    world.block(*(world.reading(member, FIRST, net) for member, net in enumerate((100, -100, 0, 0))))
    return build_report(world.genesis, world.outcomes, world.state)


def without_plotly(page: str) -> str:
    """The page but for the library's own script."""
    return re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)


def test_the_page_loads_nothing_from_the_network(world: Any) -> None:
    page = without_plotly(report_page(report_of(world)))
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "cdn." not in page


def test_the_page_has_every_figure_and_member(world: Any) -> None:
    page = without_plotly(report_page(report_of(world)))
    for figure in (
        "prices",
        "volumes",
        "local",
        "energy",
        "bills",
        "flows",
        "merit",
        "price-duration",
        "power-duration",
    ):
        assert page.count(f'id="{figure}"') == 1
    for member in ("m0", "m1", "m2", "m3"):
        assert f"<td>{member}</td>" in page
    assert "3 intervals of 60 minutes, 1970-01-05 04:00 to 1970-01-05 06:00 UTC" in page
    assert "<dd>100%</dd>" in page


def test_names_are_text_and_not_markup(world: Any) -> None:
    report = report_of(world)
    evil = "</title><script>alert(1)</script>"
    hostile = replace(report, cell=evil, currency=evil, members=(replace(report.members[0], name=evil),))
    assert evil not in report_page(hostile)


def test_a_cell_without_blocks_has_a_page(world: Any) -> None:
    page = report_page(build_report(world.genesis, [], world.state))
    assert "No interval has been decided yet." in page


def test_bars_and_steps_cover_the_interval_they_belong_to(world: Any) -> None:
    page = without_plotly(report_page(report_of(world)))
    assert '"offset":0' in page and '"width":3600000.0' in page
    assert page.count("1970-01-05T07:00:00") >= 2, "the end of the last interval"


def test_every_axis_of_amounts_says_its_unit(world: Any) -> None:
    page = without_plotly(report_page(report_of(world)))
    for unit, figures in (("EUR per kWh", 3), ("kWh", 4), ("EUR", 1), ("kW", 1)):
        assert page.count(f'"yaxis":{{"title":{{"text":"{unit}"}}}}') == figures


def test_no_amount_is_shown_as_minus_nothing(world: Any) -> None:
    member = replace(
        report_of(world).members[0], contract_money=1, imbalance_money=0, tariff_money=2, balance=-1
    )
    assert member_cells(member)[5:] == ("0.00",) * 4
