"""Forecasts of load, generation and price: quantiles, learned online; the model is chosen by what it proved."""
