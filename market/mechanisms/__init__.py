"""Market mechanisms behind one interface: `uniform` is what blocks use, the others are there to compare with."""
