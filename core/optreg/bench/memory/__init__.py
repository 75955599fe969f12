"""How many bytes an optimizer keeps and moves."""
