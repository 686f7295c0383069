"""How predictions move with a column: partial dependence and accumulated local effects."""
