"""Agreeing on one block per height: Tendermint's algorithm 1 as a pure state machine."""
