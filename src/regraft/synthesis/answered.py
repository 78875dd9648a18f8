"""What a stored answer says, for all that is read out of it: never more than its tokens can have brought."""

from typing import TYPE_CHECKING

from regraft.lm.client.chat import Answer, parse_answer

if TYPE_CHECKING:
    from regraft.lm.client.responses import Exchange

CHARACTERS = 64
"""That a token brings at most, on the average of an answer. A server that keeps to no limit is not believed."""
UNREADABLE = (ValueError, RecursionError, MemoryError)
"""What parsers of the library raise for texts that nobody should write, such as a term of 10,000 brackets."""


def answer_of(exchange: "Exchange", max_tokens: int) -> Answer | str:
    """Return the answer in an exchange, or why it is not read."""
    answer = parse_answer(exchange.response)
    if isinstance(answer, Answer) and len(answer.text) > CHARACTERS * max_tokens:
        return f"{len(answer.text):,} characters for at most {max_tokens:,} tokens"
    return answer
