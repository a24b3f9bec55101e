"""OpenADR 3 without I/O: what a VTN says, what it means for power and prices, and what is reported back."""
