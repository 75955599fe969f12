"""Functions of a few numbers with known minima, descended from many starts: what a training curve cannot show."""
