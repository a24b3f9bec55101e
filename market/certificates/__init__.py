"""Certificates: what proves a clearing, how it is built and encoded, and a checker that knows no clearing."""
