"""Shared drawing code: axes, colours, ticks and labels, maps of vectors, and the figure class."""
