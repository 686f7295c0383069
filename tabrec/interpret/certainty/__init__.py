"""Uncertainty of predictions: intervals, prediction sets and out-of-bag errors."""
