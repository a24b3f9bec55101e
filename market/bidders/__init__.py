"""Bidding strategies behind the interface of market/bidding.py, and what they expect of the intervals to come."""
