"""A year of a market between measured homes, on arrays: no network, the same clearing, settlement and bids."""

MARKET_HELP = """Play a year of a market between measured homes, and compare it with doing without.

Beside the market stand: the tariff alone, each home with its battery alone, collective self-consumption, and the least
bill that perfect foresight would allow. The committed samples are two weeks in summer and two in winter, which are
drawn week by week to make a year; a file is played as it is.

Example: wattswarm sim market --data fontana --days 365 --mechanism all

Example: wattswarm sim market --data meters.csv --html year.html

Exit status: 0 played; 2 no such data, mechanism or strategy, or a bad row in the file.
"""
"""The help of `wattswarm sim market`: here, so that listing the command loads nothing of it."""
