"""Devices on an MQTT broker, and the node's own state on it."""
