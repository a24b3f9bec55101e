"""Real switchgear: a breaker or transfer switch and a grid-forming inverter, by a map of Modbus registers."""
