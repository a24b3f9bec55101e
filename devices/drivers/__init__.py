"""Drivers: each speaks the DER protocol for one kind of device, simulated or real."""
