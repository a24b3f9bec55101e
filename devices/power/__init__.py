"""Power in one cycle: what a reserve leaves, how one power becomes setpoints, and who may use what."""
