"""The short way to write an optimizer: one function, and everything that follows from it."""
