"""Columns a model relies on, and columns it can do without: importance, selection, redundancy."""
