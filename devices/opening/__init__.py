"""From a configuration to open devices, real or simulated."""
