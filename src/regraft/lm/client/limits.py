"""How hard, how long and for how much to ask an endpoint, and what becomes of a request."""

from dataclasses import dataclass
from typing import Literal

from regraft.core import ConfigError
from regraft.lm.client.chat import Usage

Ending = Literal["stored", "refused", "failed", "budget", "money", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request."""

    ending: Ending
    """`refused`: this request, for good. `failed`: because of the endpoint, so that it may be answered another time.
    Not sent or given up: `budget` (tokens are spent), `money` (it is), `stopped` (too many failures, or one that all
    share), `interrupted`."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an endpoint charges, for a million tokens; an endpoint that is not known to charge has no price at all."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        for name in ("prompt", "completion"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"price.{name} is {getattr(self, name)}; it must not be negative.")

    def of(self, usage: Usage) -> float:
        """Return what some tokens cost, in the currency of the price."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How hard and how long to ask. Of all this only the budgets are meant to change what comes back."""

    concurrency: int = 64
    """Requests in flight, at most. Fewer are, while the endpoint says that it is overloaded."""
    requests_per_minute: float = 0.0
    """0: not limited, as with all that are per minute."""
    tokens_per_minute: float = 0.0
    """Prompts, and the answers that were asked for, as providers count them."""
    budget_tokens: int = 10_000_000
    """Prompt and answer tokens over the life of the store: never more, failed attempts included.

    It rests on `ChatRequest.most`: an endpoint that charges an attempt more exceeds the budget by that. What was
    in flight when the process was killed counts as if it had been answered at its longest.
    """
    budget_money: float = 0.0
    """As `budget_tokens`, in the currency of `price`; 0: not limited."""
    price: Price | None = None
    """None: not known, and never guessed."""
    max_attempts: int = 6
    timeout_s: float = 600.0
    """Of one attempt, whole answer included."""
    first_backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    max_retry_after_s: float = 3600.0
    """What an endpoint may ask everybody to wait; a longer `Retry-After` counts as this."""
    max_failure_share: float = 0.5
    """A larger share stops the run: of the last `failure_window` requests that failed or were answered; and of refused
    ones, once there are so many, among all that are answered, refused or in flight."""
    failure_window: int = 10
    max_answer_bytes: int = 4_000_000

    def __post_init__(self) -> None:
        for name in ("concurrency", "budget_tokens", "max_attempts", "failure_window", "max_answer_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"limits.{name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("requests_per_minute", "tokens_per_minute", "budget_money"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"limits.{name} is {getattr(self, name)}; give 0 or more.")
        if self.budget_money and self.price is None:
            raise ConfigError("limits.budget_money needs a price: what the endpoint charges is not guessed.")
