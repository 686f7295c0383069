"""Compiled code that grows the same trees as scikit-learn's builder, and predicts with them."""
