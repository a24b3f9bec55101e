"""The search for faults: whole cells from seeds, one after another, and bugs planted to prove that it finds them."""
