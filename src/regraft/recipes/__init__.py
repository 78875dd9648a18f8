"""What to run."""

from importlib import resources

SAMPLES = resources.files("regraft.recipes") / "samples"
"""Pages and topic labels that come with regraft."""
