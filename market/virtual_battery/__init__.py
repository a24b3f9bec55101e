"""Virtual batteries: members that trade and are settled as one, under an aggregator that bids for all of them."""
