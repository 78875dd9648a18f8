"""What was gained and what was kept."""
