"""Shell: `wattswarm market`: clear order files by hand, compare mechanisms, report on a ledger, make invoices."""

from cyclopts import App

from market.billing.invoice_command import invoice_command
from market.billing.statement_command import statement_command
from market.check_certificate_command import check_certificate_command
from market.clear_command import clear_command
from market.comparing.command import compare_command
from market.federation.clear_cells_command import clear_cells_command
from market.reporting.command import market_report
from market.reporting.sql_command import sql_command

app = App(
    name="market", help="Clear order files by hand, compare mechanisms, report on a ledger, make invoices."
)
app.command(clear_command, name="clear")
app.command(clear_cells_command, name="clear-cells")
app.command(check_certificate_command, name="check-certificate")
app.command(compare_command, name="compare")
app.command(market_report, name="report")
app.command(invoice_command, name="invoice")
app.command(statement_command, name="statement")
app.command(sql_command, name="sql")
