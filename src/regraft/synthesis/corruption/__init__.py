"""Damage done on purpose, to learn how clean synthetic text has to be."""
