"""Physics of devices: pure step functions over frozen parameters, each with its sources. No I/O, no clock."""
