"""Modbus TCP: the transport that SunSpec devices and switchgear share."""
