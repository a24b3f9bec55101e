"""A node on an MQTT broker: devices that are there, sensors, and its own state for its owner."""
