"""What every driver must keep, and how a real device is tried before it is trusted."""
