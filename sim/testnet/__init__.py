"""A testnet: real processes with real libp2p and real SQLite on loopback, playing measured households."""
