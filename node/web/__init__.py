"""The operator's page: a web server in a process of its own, fed by the daemon and by the node's ledger."""
