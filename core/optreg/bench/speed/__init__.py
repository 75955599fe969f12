"""How long the update step alone takes: layouts, sampling, the limit of the machine."""
