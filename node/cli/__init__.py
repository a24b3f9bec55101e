"""The `wattswarm` command, one module per group of commands."""
