"""The ledger's part of the core: gathering entries, agreeing on one block per interval, catching up. Sans-IO."""
