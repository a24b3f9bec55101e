"""From a block to the next state: the chain, its commitments, its journal, its snapshots and its proofs."""
