"""The daemon: wires ledger, market and devices to libp2p, disk and clock."""
