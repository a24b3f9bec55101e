"""MQTT: topics of devices, access to a broker, one link."""
