"""Topics, difficulty, shares, curriculum, controllers."""
