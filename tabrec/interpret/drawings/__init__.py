"""Plots and text of trees, and maps of embeddings."""
