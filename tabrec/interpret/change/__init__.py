"""Whether the world has moved on: shift, validation in time, extrapolation."""
