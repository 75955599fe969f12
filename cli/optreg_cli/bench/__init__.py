"""``optreg bench``: one file a verb, and the tables."""
