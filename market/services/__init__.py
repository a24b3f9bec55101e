"""Grid services as ledger entries: what a dso buys, what members arm, report and deliver, and what that pays."""
