"""How a filter says that a figure is beyond a bound: what was found, its unit, and what was asked for."""

from regraft.corpus.document import Reject


def too_low(reason: str, found: str, least: float) -> Reject:
    """Return the reject of a document of which `found`, a figure with its unit, is below `least`."""
    return Reject(reason, f"{found}; at least {least:,g} asked for")


def too_high(reason: str, found: str, most: float) -> Reject:
    """Return the reject of a document of which `found`, a figure with its unit, is above `most`."""
    return Reject(reason, f"{found}; at most {most:,g} allowed")
