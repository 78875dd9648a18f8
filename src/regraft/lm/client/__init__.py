"""Asks models behind endpoints, and keeps every answer: over HTTP or by batches, within budgets."""
