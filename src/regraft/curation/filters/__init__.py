"""Rules by which a document stays or goes."""
