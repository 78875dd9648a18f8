"""What of a classifier should not be trusted, in sentences for a log. The limits are not in the paper."""

from collections.abc import Iterator, Sequence

from regraft.mixture.topics.measures import Judged, calibration_error, reliability
from regraft.mixture.topics.taxonomy import OTHERS

MAX_CALIBRATION_ERROR = 0.15
"""Above, a threshold does not mean what it says."""
MAX_OTHERS = 0.5
"""Share of documents below the threshold above which topics no longer divide the corpus."""


def cautions(judged: Sequence[Judged], threshold: float) -> Iterator[str]:
    """Yield what labelled documents show: probabilities that are far off, and a threshold that few topics reach."""
    error = calibration_error(reliability(judged))
    if error > MAX_CALIBRATION_ERROR:
        confidence = sum(j.probability for j in judged) / len(judged)
        right = sum(j.topic == j.best for j in judged) / len(judged)
        yield (
            f"probabilities are {error:.1%} away from how often topics are right (expected calibration error; limit "
            f"{MAX_CALIBRATION_ERROR:.0%}): {confidence:.1%} in the mean, {right:.1%} right. Choose a threshold by "
            "the calibration table of the report rather than at its face value, or try another classifier."
        )
    yield from flooded(sum(j.found == OTHERS != j.best for j in judged), len(judged), threshold)


def flooded(others: int, documents: int, threshold: float) -> Iterator[str]:
    """Yield that a threshold makes most documents `Others`, if it does."""
    if threshold and others > MAX_OTHERS * documents:
        yield (
            f"the threshold {threshold:g} makes {OTHERS!r} of {others / documents:.1%} of {documents:,} documents "
            f"(limit {MAX_OTHERS:.0%}). Lower it, or label more seeds."
        )
