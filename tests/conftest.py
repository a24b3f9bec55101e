"""Settings for every test: a property may take its time on a busy machine, and prints how to repeat a failure."""

from hypothesis import settings

settings.register_profile("wattswarm", deadline=None, print_blob=True)
settings.load_profile("wattswarm")
