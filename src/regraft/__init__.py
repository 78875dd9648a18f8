"""Continual pre-training with evidence."""
