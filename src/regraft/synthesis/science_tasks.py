"""The tasks of `science_qa`: each seed with the prompts that it is written from."""

from collections import Counter
from collections.abc import Iterator, Sequence

from regraft.synthesis.genres import Given
from regraft.synthesis.prompts import Prompt
from regraft.synthesis.science_qa import ScienceQaConfig
from regraft.synthesis.seeds import Seed
from regraft.synthesis.tasks import Task


def tasks_of(config: ScienceQaConfig, seeds: Sequence[Seed]) -> Iterator[Task]:
    """Yield at most `num_requests` tasks, in the order of the seeds.

    The prompts are dealt in turn inside each discipline, so that each of them is written from all disciplines alike.
    """
    turn = Counter[str]()
    left = config.num_requests
    for seed in seeds:
        for _ in range(min(config.prompts_per_snippet, left)):
            number = turn[seed.discipline.name]
            turn[seed.discipline.name] += 1
            yield _task(config, seed, config.prompts[number % len(config.prompts)])
            left -= 1


def _task(config: ScienceQaConfig, seed: Seed, prompt: Prompt) -> Task:
    snippet, discipline, language = seed.snippet, seed.discipline, prompt.language
    meta = {
        "discipline": discipline.name,
        "discipline_by": seed.by,
        "topic": seed.topic,
        "url": seed.url,
        "snippet_start": str(snippet.start),
        "snippet_end": str(snippet.end),
        "snippet_sha256": snippet.digest,
        "weight": f"{seed.weight:.4g}",
    }
    return Task(
        writer=config.writer,
        prompt=prompt,
        given=Given(
            snippet=snippet.text,
            discipline=discipline.title(language),
            guidance=discipline.guidance.get(language, ""),
            words=config.words,
        ),
        parent=snippet.document,
        place=f"{snippet.document} {snippet.start} {prompt.name}",
        meta=meta,
    )
