"""What learns in a run: the data of a rule, its state, and what came of it."""
