"""What an operator needs around a running node: its state as metrics and health, service manager, check-up, backup."""
