"""Gradient aggregators, each registered under its own name."""
