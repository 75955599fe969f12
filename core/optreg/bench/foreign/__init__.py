"""Optimizers of libraries that have threads and memory of their own, measured in a process of their own."""
