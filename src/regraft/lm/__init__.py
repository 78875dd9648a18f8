"""Language models and endpoints."""
