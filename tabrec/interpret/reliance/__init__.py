"""What a model relies on, and what can go: importance, selection, redundancy."""
