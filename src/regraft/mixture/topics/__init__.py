"""Topics of documents: taxonomies, labelled examples, classifiers, and what labels every document with them."""
