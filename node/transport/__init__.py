"""The network as the node sees it: one interface, one adapter per way of reaching the other members."""
