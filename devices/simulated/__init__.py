"""Drivers of simulated devices: the models, the profiles and the grid behind the DER protocol."""
