"""How sure a model is: intervals, sets, and errors out of bag."""
