"""Plots and text of trees, and maps of learned vectors."""
