"""Observations for controllers to decide on."""

from collections.abc import Sequence

from regraft.mixture.controllers import TopicLoss


def observe(
    changes: Sequence[float],
    shares: Sequence[float] | None = None,
    errors: Sequence[float] | None = None,
    before: float = 1.5,
) -> list[TopicLoss]:
    """Return topics t0, t1, ... whose losses changed like this since `before`, where they also began."""
    n = len(changes)
    return [
        TopicLoss(
            topic=f"t{i}",
            stream=f"zh/web/t{i}",
            share=shares[i] if shares else 1 / n,
            loss=before + change,
            before=before,
            initial=before,
            error=errors[i] if errors else 0.0,
        )
        for i, change in enumerate(changes)
    ]
