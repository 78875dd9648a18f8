"""When to stop asking: too many requests failed, or were refused."""

from collections import deque

from regraft.lm.client.limits import Limits, Outcome


class EarlyStop:
    """Looks at what became of requests, one after the other."""

    def __init__(self, limits: Limits) -> None:
        self._most, self._window = limits.max_failure_share, limits.failure_window
        self._failed: deque[bool] = deque(maxlen=limits.failure_window)  # of the last that failed or were answered
        self._num_refused = 0

    def reason(self, outcome: Outcome, others: int) -> str:
        """Return why to stop after this outcome, "" for no reason.

        Args:
            outcome: of a request that was answered, failed or refused.
            others: how many requests are answered or may still be. A refusal comes sooner than an answer, so it counts
                among all of these, and not among those that ended last.
        """
        if outcome.ending == "refused":
            self._num_refused += 1
            too_many = self._num_refused > self._most * (self._num_refused + others)
            said = f"{self._num_refused} requests were refused" if too_many else ""
            said = said if self._num_refused >= self._window else ""
        else:
            self._failed.append(outcome.ending == "failed")
            failures = sum(self._failed)
            too_many = failures > self._most * self._window and len(self._failed) == self._window
            said = f"{failures} of the last {self._window} requests failed" if too_many else ""
        return f"{said}, the last one with: {outcome.reason}" if said else ""
