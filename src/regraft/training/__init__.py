"""The training loop, closed over a steered mixture."""
