"""Uninterruptible power supplies by the text protocol of Network UPS Tools."""
