"""The process: the core between network, disk, control process and clock. Only shells."""
