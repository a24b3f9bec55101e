"""Shell: a month-end statement as one more thing that `wattswarm ledger verify` derives again."""

from dataclasses import replace
from pathlib import Path

from ledger.audit.audit import AuditReport
from ledger.audit.checks import AuditFailure
from market.billing.statement_command import check_statement
from market.cell_state import CellState
from market.errors import InputError
from node.errors import InputRefusedError


def with_statement(node: Path, report: AuditReport[CellState], file: Path) -> AuditReport[CellState]:
    """The report with what the statement says wrong as its failure, unless the ledger already has one."""
    if report.failure is not None:
        return report
    try:
        difference = check_statement(node, file)
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputRefusedError(f"{file}: {error}") from error
    if difference is None:
        return report
    failure = AuditFailure(f"statement {file}", "what the ledger gives", difference)
    return replace(report, failure=failure)
