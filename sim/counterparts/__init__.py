"""Devices in processes of their own that speak the real protocols: what drivers are tried against without hardware."""
