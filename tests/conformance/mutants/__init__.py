"""Broken optimizers, one module for each group of checks. ``caught_by`` names the check that must catch each."""
