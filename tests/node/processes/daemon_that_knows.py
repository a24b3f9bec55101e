"""The command line of a program that knows more versions of the protocol: `daemon_that_knows.py 1,2 node run ...`."""

import sys

from ledger.records import protocols
from node.cli.root import main

if __name__ == "__main__":
    protocols.KNOWN = tuple(int(version) for version in sys.argv.pop(1).split(","))
    main()
