"""The same auctions under every mechanism, side by side."""
