"""Documents that say what another one says."""
