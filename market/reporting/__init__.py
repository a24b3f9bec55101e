"""What a report shows beside its sums: merit order, duration curves, and who supplied whom."""
