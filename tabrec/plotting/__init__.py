"""What every picture shares: axes, colours, maps of vectors, light and dark."""
