"""One real daemon among scripts, to measure it."""
