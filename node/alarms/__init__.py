"""Alarms of devices on their way through the ledger: from the control process into the feed, and into a list."""
