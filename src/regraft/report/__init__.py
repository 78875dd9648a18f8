"""One HTML file from a store."""
