"""Small experiments with a yes or a no: which properties an optimizer has, and what each means for its user."""
