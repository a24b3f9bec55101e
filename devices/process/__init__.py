"""The control process and the daemon's line to it. Only shells."""
