"""Question-answer pairs made from snippets of documents."""
