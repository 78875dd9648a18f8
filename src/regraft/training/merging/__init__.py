"""One model out of several checkpoints."""
