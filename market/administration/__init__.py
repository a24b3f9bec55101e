"""What members, operator and dso say of devices: alarms and their acknowledgement, rights, commands."""
