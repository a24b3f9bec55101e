"""Orders, clearing, settlement, bidding and reports: the market, built on the ledger."""
