"""Learning tasks on data that is generated or comes inside a wheel: nothing is downloaded."""
