"""Graphs: loss tensors without tape, sessions of TensorFlow 1, and what XLA compiles."""
