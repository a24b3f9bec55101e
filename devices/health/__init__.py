"""Health of units: rules, drift, end of life, and the derating that follows. Pure cores; real time guards ages."""
