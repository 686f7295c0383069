"""Importance, selection and redundancy of columns."""
