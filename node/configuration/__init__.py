"""What an owner writes down: one TOML file, table by table, and what its mistakes are told as."""
