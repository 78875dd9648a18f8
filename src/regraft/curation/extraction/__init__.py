"""How text comes out of pages."""
