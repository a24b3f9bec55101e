"""A year of a market between measured homes, on arrays: no network, the same clearing, settlement and bids."""
