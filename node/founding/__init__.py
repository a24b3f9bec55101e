"""A cell begins: members give their cards to a founder, who writes the genesis."""
