"""Differences between new data and training data: shift, drift, extrapolation and comparisons on later rows."""
