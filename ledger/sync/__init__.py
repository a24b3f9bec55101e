"""How nodes repair what gossip lost, and take entries in."""
