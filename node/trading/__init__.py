"""The market's part of the core: bidding, what others can do, and trading as one virtual battery."""
