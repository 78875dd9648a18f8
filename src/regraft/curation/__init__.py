"""Raw text to clean corpus."""
