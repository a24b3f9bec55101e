"""Proofs that stand on their own, for whoever has the genesis and nothing else."""
