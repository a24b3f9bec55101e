"""What is about to happen to a node, as far as its own measurements tell: trouble, and the power of its loads."""
