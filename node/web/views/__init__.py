"""What is answered, made from what the daemon told and what the ledger says. Cores: time is an argument."""
