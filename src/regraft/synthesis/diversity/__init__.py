"""How varied synthetic text is."""
