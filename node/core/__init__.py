"""The core of the daemon: agreement and trading as one state machine, with what its member does for the grid."""
