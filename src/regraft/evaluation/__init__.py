"""Evaluation: held-out bits per byte, multiple-choice tasks, and paired comparison of a model before and after."""
