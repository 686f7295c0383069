"""Faults of the data: target leakage, codes for missing values."""
