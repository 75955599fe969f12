"""Training in several processes at once, on this machine or on a Ray cluster, with the results of one run."""
