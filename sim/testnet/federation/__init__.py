"""A testnet of several cells: streets below a district, each with a gateway, all of real processes."""
