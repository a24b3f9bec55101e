"""Shell: `wattswarm market`: clear order files by hand, compare mechanisms, report on a ledger."""

from cyclopts import App

from market.check_certificate_command import check_certificate_command
from market.clear_command import clear_command
from market.compare_command import compare_command
from market.federation.clear_cells_command import clear_cells_command
from market.report_command import market_report

app = App(name="market", help="Clear order files by hand, compare mechanisms, report on a ledger.")
app.command(clear_command, name="clear")
app.command(clear_cells_command, name="clear-cells")
app.command(check_certificate_command, name="check-certificate")
app.command(compare_command, name="compare")
app.command(market_report, name="report")
