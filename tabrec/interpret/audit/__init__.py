"""Checks of data: target leakage, copies of rows, shared groups and placeholders of missing values."""
