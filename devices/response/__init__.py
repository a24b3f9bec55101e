"""Fast response: curves of services as data, and what a node adds to its power by them."""
