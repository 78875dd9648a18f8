"""What is told of a model beside its weights: a model card and a data card, as Markdown, from lineage alone."""
