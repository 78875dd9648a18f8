"""What is spent, what may yet be spent on requests in flight, and whether another one fits."""

from collections.abc import Iterable

from regraft.lm.client.chat import ChatRequest, Usage
from regraft.lm.client.limits import Limits, Outcome


class Budget:
    """Tokens and money: reserved at their most before a request is sent, paid as they were once it is settled.

    An answer that another step bought counts in tokens, as if it had been bought here: what a budget of tokens leaves
    out is part of what is made, and must not hang on what others made before. It costs no money.
    """

    def __init__(self, limits: Limits, spent: Usage, lent_tokens: int = 0) -> None:
        self._limits = limits
        self.spent, self.reserved = spent, Usage(prompt_tokens=0, completion_tokens=0)
        self.lent_tokens = lent_tokens

    def fits(self, request: ChatRequest) -> bool:
        """Return whether a request can be paid for beside all that is in flight, whatever that turns out to cost."""
        return self._affords(self.spent, self.reserved, request.most)

    def fits_lent(self, request: ChatRequest) -> bool:
        """Return the same of a request that another step paid for."""
        return self._tokens(self.spent, self.reserved, request.most) <= self._limits.budget_tokens

    def lend(self, usage: Usage) -> None:
        """Count what an answer took that another step bought."""
        self.lent_tokens += usage.tokens

    @property
    def overdrawn(self) -> bool:
        """Whether what is in flight can no longer be paid for: failed attempts were charged."""
        return not self._affords(self.spent, self.reserved)

    def reserve(self, request: ChatRequest) -> None:
        """Put aside what a request may cost."""
        self.reserved = _total([self.reserved, request.most])

    def release(self, request: ChatRequest) -> None:
        """Give back what was put aside for a request."""
        most = request.most
        self.reserved = Usage(
            prompt_tokens=self.reserved.prompt_tokens - most.prompt_tokens,
            completion_tokens=self.reserved.completion_tokens - most.completion_tokens,
        )

    def pay(self, usage: Usage) -> None:
        """Count what an attempt was charged."""
        self.spent = _total([self.spent, usage])

    def refused(self, request: ChatRequest) -> Outcome:
        """Return what becomes of a request that does not fit."""
        ending = "money" if self.fits_lent(request) else "budget"
        return Outcome(ending=ending, reason=self._why(request))

    def _why(self, request: ChatRequest) -> str:
        limits, price = self._limits, self._limits.price
        said = f"{self._tokens(self.spent):,} of {limits.budget_tokens:,} tokens are spent"
        more = f"{request.most.tokens:,}"
        if price and limits.budget_money:
            said += f", {price.of(self.spent):.6g} of {limits.budget_money:.6g} in money"
            more += f", which is {price.of(request.most):.6g}"
        return f"{said}; this may take {more}"

    def _affords(self, *usages: Usage) -> bool:
        total, limits = _total(usages), self._limits
        too_dear = limits.price and limits.budget_money and limits.price.of(total) > limits.budget_money
        return self._tokens(total) <= limits.budget_tokens and not too_dear

    def _tokens(self, *usages: Usage) -> int:
        return _total(usages).tokens + self.lent_tokens


def _total(usages: Iterable[Usage]) -> Usage:
    prompt = completion = 0
    for usage in usages:
        prompt += usage.prompt_tokens
        completion += usage.completion_tokens
    return Usage(prompt_tokens=prompt, completion_tokens=completion)
