"""Demand response: what a VTN of OpenADR 3 asks, made into limits, requests, expectations and reports of a node."""
