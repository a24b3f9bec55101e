"""Where a testnet keeps what: one directory for the cell, one per node, one for what chaos replaced, one file that says
how it was made."""

CELL_DIRECTORY = "cell"
NODES_DIRECTORY = "nodes"
CLOCK_FILE = "clock.toml"
PARAMETERS_FILE = "testnet.json"
PROFILE_FILE = "profile.csv"
DAEMON_LOG = "daemon.log"
ASIDE_DIRECTORY = "aside"
