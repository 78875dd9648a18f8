"""Texts on how the entities of a document are related."""
