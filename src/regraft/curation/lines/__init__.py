"""Lines that many pages repeat."""
