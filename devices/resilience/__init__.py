"""What a node does when the public grid fails: modes, islanding, former, tiers, black start, resynchronisation."""
