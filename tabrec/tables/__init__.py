"""Tables, columns, targets, weights and dates: the lowest room, which imports no other one."""
