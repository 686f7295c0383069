"""How new data differ from training data: shift, comparisons on later rows, extrapolation."""
