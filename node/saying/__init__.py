"""What people have a node say in its feed: checked against the cell, then left for the daemon, which signs it.

The commands and the page say it in the same way: both only ask what to say, and show the text that comes back.
"""
