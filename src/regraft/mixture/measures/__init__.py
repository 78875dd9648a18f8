"""Difficulty of a text without a model: compression, lexical diversity, readability, density of mathematics."""
