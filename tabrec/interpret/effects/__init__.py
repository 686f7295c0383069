"""Effects of columns on predictions: partial dependence and accumulated local effects."""
