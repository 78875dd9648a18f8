"""Whether tokens belong to each other and to the model: asked before the first step."""

import logging
from collections.abc import Iterator, Sequence

from regraft.core import Artifact
from regraft.corpus.tokenizer import check_ends, check_tokenizer
from regraft.corpus.tokens import TokenForm
from regraft.training.history import trainings


def check_compatible(tokens: Sequence[Artifact], model: Artifact, log: logging.Logger) -> None:
    """Return if some token artifacts, held-out ones included, are the model's tokens and share one policy of ends.

    A warning says so where an earlier training of the model had documents with other begin or end tokens.

    Raises:
        ConfigError: another tokenizer's tokens, a token without embedding, or documents that begin or end with
            different tokens.
    """
    forms = [(artifact.id, TokenForm.read(artifact.path)) for artifact in tokens]
    for name, form in forms:
        check_tokenizer(form, model.file("model"), name)
    check_ends(forms)
    now = forms[0][1].begin, forms[0][1].end
    for name, then in earlier_ends(model):
        if then != now:
            log.warning("documents begin and end with the tokens %s now, and did with %s in %s", now, then, name)


def earlier_ends(model: Artifact) -> Iterator[tuple[str, tuple[int | None, int | None]]]:
    """Yield name and (begin, end) token of the token artifacts that made a model, of those that are still there."""
    for training in trainings(model):
        for given in training.manifest.inputs:
            path = training.path.parent / given.artifact
            if given.role == "tokens" and path.is_dir():
                form = TokenForm.read(path)
                yield given.artifact, (form.begin, form.end)
