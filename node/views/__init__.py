"""What a node's ledger shows to people and programs, the same for commands and pages."""
