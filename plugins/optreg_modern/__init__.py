"""Optimizers from after Keras 2.9, each written the short way where that is possible."""
