"""From what is measured to what every device is told, once per cycle, and whether it arrived."""
