"""The control core: modes, mandates, metering and alarms around the dispatch. No I/O and no clock."""
