"""Labels from several hands into one set of examples: hand labels, seeds by a model, pages that were filled in."""

from dataclasses import dataclass, replace

from regraft.core import ConfigError, Context, Kind, Metrics, RawFiles, stage
from regraft.core.stage import Role
from regraft.mixture.topics.taxonomy import Taxonomy, by_language


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeConfig:
    """Labels by hand, beside the input `seeds`."""

    taxonomies: tuple[Taxonomy, ...]
    labels: tuple[RawFiles, ...] = ()
    """JSON lines with `topic`, and with `text` or the `id` of a document of the input `docs`. An empty topic is a page
    that is not labelled yet. A label by hand takes the place of what the input `seeds` says of the same text."""
    max_characters: int = 2000
    """Of a document that is found by its id, from its start."""

    def __post_init__(self) -> None:
        by_language(self.taxonomies)
        if self.max_characters < 1:
            raise ConfigError(f"max_characters is {self.max_characters}; it must be at least 1.")


@stage(
    version=2,
    makes=Kind.FILES,
    docs=Role(Kind.CORPUS, many=True, required=False),
    seeds=Role(Kind.FILES, many=True, required=False),
)
def merge_labels(config: MergeConfig, ctx: Context) -> Metrics:
    """Write `examples.jsonl`, each text or id once, the label that came last; for `train_topic_classifier`.

    Raises:
        ConfigError: a line is no label, its topic is none of the taxonomy, or no document has its id.
    """
    from regraft.corpus.rows import documents
    from regraft.mixture.topics.examples import EXAMPLES_FILE, named, read_examples, write_examples

    made = [(f"{given.id}/{EXAMPLES_FILE}", given.file(EXAMPLES_FILE)) for given in ctx.inputs.get("seeds", ())]
    raw = [pair for given in config.labels for pair in named(given.files, ctx.located)]
    given = read_examples([*made, *raw], config.taxonomies, complete=False)
    labelled = [example for example in given if example.topic]
    wanted = {example.id for example in labelled if not example.text}
    texts = {d.id: d.text for d in documents(*ctx.inputs.get("docs", ())) if d.id in wanted}
    if missing := sorted(wanted - set(texts)):
        raise ConfigError(f"{len(missing)} labels are of no document of the input `docs`, such as {missing[:3]}.")
    whole = [
        example if example.text else replace(example, text=texts[example.id][: config.max_characters])
        for example in labelled
    ]
    ids = {example.text: example.id for example in whole if example.id}  # of texts that come again without one
    same = (replace(example, id=example.id or ids.get(example.text, "")) for example in whole)
    merged = {example.id or example.text: example for example in same}
    write_examples(ctx.out / EXAMPLES_FILE, merged.values())
    counts = {topic: 0 for taxonomy in config.taxonomies for topic in taxonomy.names}
    for example in merged.values():
        counts[example.topic] = counts.get(example.topic, 0) + 1
    return {
        "examples": len(merged),
        "not_labelled": len(given) - len(labelled),
        "replaced": len(labelled) - len(merged),
        **{f"examples: {topic}": count for topic, count in counts.items()},
    }
