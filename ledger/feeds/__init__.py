"""Every member's append-only hash chain of entries."""
