"""Gradient transformers, each registered under its own name."""
