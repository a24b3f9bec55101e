"""Verified upgrades: who may make a release, how it is put beside the other, tried, and given up when it is no good."""
