"""DER models and drivers, leases and the dispatch stack: knows no market and no ledger."""
