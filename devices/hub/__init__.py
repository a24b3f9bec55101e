"""The local hub: what a home learns of its own circuits and sockets, and keeps to itself. Pure cores."""
