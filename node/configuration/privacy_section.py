"""The `[site.privacy]` table: what of circuits and sockets may be seen, by whom, and how fine."""

from typing import Literal

from pydantic import Field

from devices.hub.privacy import COARSEST_S, FINEST_TOTAL_S, Detail, Grant, Policy
from node.configuration.section import Section


class PrivacySection(Section):
    """What the cell sees (who looks without being the owner), and what the owner's own programs do. By default totals
    of the whole home per quarter of an hour; the cell never sees circuits.
    """

    cell: Literal["nothing", "total"] = "total"
    cell_resolution_s: int = Field(
        default=FINEST_TOTAL_S, ge=FINEST_TOTAL_S, le=COARSEST_S, multiple_of=FINEST_TOTAL_S
    )
    own: Literal["nothing", "total", "by-circuit"] = "total"
    own_resolution_s: int = Field(
        default=FINEST_TOTAL_S, ge=FINEST_TOTAL_S, le=COARSEST_S, multiple_of=FINEST_TOTAL_S
    )

    def policy(self, owner: str) -> Policy:
        """The policy that this means."""
        return Policy(
            owner,
            cell=Grant(Detail(self.cell), self.cell_resolution_s),
            own=Grant(Detail(self.own), self.own_resolution_s),
        )
