"""How well optimizers train: searches for a learning rate, targets, scores and what they come to."""
