"""What is signed or agreed, and its one byte form: genesis, entries, votes, blocks, changes."""
