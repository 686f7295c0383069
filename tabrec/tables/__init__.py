"""What a table, a column, a target, a weight and a date are: the ground floor, which imports no other room."""
