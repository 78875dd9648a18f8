import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from regraft.core import ArtifactError, Run, Store
from regraft.report import headline, load_index, write_report

from .conftest import HOSTILE, TASKS, recipe


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.parts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.parts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.parts).split())


@pytest.fixture(scope="module")
def report(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("out") / "report.html"
    return write_report(*made, path)


@pytest.fixture(scope="module")
def html(report):
    return report.path.read_text("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_fetches_nothing_and_runs_nothing(html, page):
    assert not re.search(r"https?://|@import|url\(", html)
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "img"} == set()
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a == "src"]


def test_hostile_text_is_shown_and_never_markup(html, page):
    assert HOSTILE not in html
    assert "&lt;script&gt;alert" in html
    assert HOSTILE in page.text


def test_ids_are_unique_and_every_link_leads_somewhere(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for tag, a in page.tags if tag == "a"} <= set(ids)


def test_every_figure_is_numbered_and_names_artifacts_of_the_store(made, report, page):
    store, _ = made
    anchors = {attrs["id"] for tag, attrs in page.tags if tag == "figure"}
    assert anchors == set(report.figures) == {f"F{i}" for i in range(1, len(anchors) + 1)}
    for record in report.figures.values():
        assert record.artifacts
        for artifact in record.artifacts:
            assert store.resolve(artifact).id == artifact
            assert artifact in page.text


def test_the_index_beside_the_report_reads_back(report):
    assert load_index(report.path) == report
    assert json.loads(report.index_path.read_text("utf-8"))["F1"]["section"] == "headline"


def test_the_verdict_follows_the_data(page):
    assert "Chinese: bits per byte fell by 16.7 % [12.1, 14.2], from 2.400 to 2.000" in page.text
    assert "English, wikipedia: no change of bits per byte can be told from chance: 0.4 %" in page.text
    assert "12 answers became right and 10 wrong (exact McNemar p = 0.83)" in page.text


@pytest.mark.parametrize(
    ("criterion", "rule", "verdict"),
    [
        ("Chinese bits per byte at least 10 % lower", "figure ≤ −10.0 %, interval excludes 0", "met"),
        ("English at most 0.1 % higher", "figure ≤ 0.1 %", "not met"),
        ("English surely at most 1 % higher", "whole interval ≤ 1.0 %", "not met"),
        ("Too few documents to be sure", "whole interval ≤ 1.0 %", "not measured"),
        ("An accuracy of no named task", "figure ≥ 0.0 %", "not measured"),
        ("The accuracy of one task", "figure ≥ 0.0 %", "met"),
        ("Something never measured", "no bound", "not measured"),
    ],
)
def test_criteria_are_judged_by_the_data_and_their_rule_is_shown(html, made, criterion, rule, verdict):
    assert re.search(rf"<td>{re.escape(criterion)}</td>\s*<td>{re.escape(rule)}</td>\s*<td>{verdict}</td>", html)
    assert any(line.startswith(f"{criterion} ({rule}): {verdict}: ") for line in headline(*made))


def test_each_task_has_its_own_figure_chance_and_counts(report, page):
    titles = [record.title for record in report.figures.values()]
    assert {f"{task}, English: accuracy against chance" for task in TASKS} <= set(titles)
    assert "50 questions; not asked" in page.text
    assert "200 questions; not asked" in page.text
    for line in ("accuracy 31.0 % [25.0, 37.5]", "accuracy 61.0 % [25.0, 37.5]"):
        assert line in page.text
    assert page.text.count("accuracy by chance 50.0 %") == 1


def test_too_few_for_an_interval_is_shown_and_said(page):
    assert "English, pubmed 1.200 [–]" in page.text
    assert "fewer than 10 documents or 5 clusters" in page.text
    assert (
        "bits per byte is 8.3 % lower, from 1.200 to 1.100 (3 documents, too few to tell it from chance)" in page.text
    )


def test_no_topic_is_not_called_one(html):
    assert "/-<" not in html
    assert "en/pubmed/-" not in html
    assert "ended" in html
    assert "its share passes to en/wikipedia, zh/x<" in html


@pytest.mark.parametrize(
    "figure",
    [
        "2.400 [2.350, 2.450]",  # bits per byte
        "31.0 % [25.0, 37.5]",  # accuracy
        "640 624 −2.5 %",  # planned, served
        "zh/debian-zh/Networking 20 160 50.0 %",  # stream
        "too_short 3 16 8 3 5",  # funnel
        "80 documents in 6 clusters",
        "Only the first 256 tokens of each document are scored",
        "synthesis/generated 4 100 50 1,777 unknown",  # generation
        "16 tokens of padding; 7 documents or parts of them left out, consumed by an earlier stage",
        "No stream ended",
        "1,700 too long",  # questions left out
        "3 decisions",
        "loss fell less",
        "188",  # tokens a second
        "Shares are 1:1; the paper uses 2:8.",
        "from d9",  # parent of a synthetic pair
        "网络接口的配置",
    ],
)
def test_figures_of_the_store_stand_on_the_page(page, figure):
    assert figure in page.text


def test_charts_hold_their_labels(html):
    charts = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    for label in ("Chinese, debian-zh", "bilingual", "chance", "planned", ">Networking<", "bits per byte"):
        assert label in charts


def test_what_a_run_lacks_is_left_out_by_name(made, tmp_path):
    store, whole = made
    part = {name: artifact for name, artifact in whole.steps.items() if name == "backbone"}
    record = Run(recipe="bare", started=whole.started, parameters={}, steps=part, actions={"backbone": "reuse"})
    text = Page(write_report(store, record, tmp_path / "bare.html").path.read_text("utf-8")).text
    for line in (
        "compares no two models",
        "no held-out text",
        "no multiple-choice",
        "trains no model",
        "makes no corpus",
    ):
        assert line in text
    assert "reused" in text


def test_a_lost_artifact_is_an_error(made, tmp_path):
    store, whole = made
    record = Run(recipe="x", started=whole.started, parameters={}, steps={"a": "gone-000000000000"}, actions={})
    with pytest.raises(ArtifactError, match="gone-000000000000"):
        write_report(store, record, tmp_path / "x.html")


def test_a_store_that_was_moved_gives_the_same_page(made, html, tmp_path):
    store, record = made
    moved = Store(tmp_path / "moved")
    moved.root.symlink_to(store.root)
    assert write_report(moved, record, tmp_path / "moved.html").path.read_text("utf-8") == html


def test_neither_torch_nor_charts_are_imported_until_needed():
    code = "import sys, regraft.report; print(*{'torch', 'altair', 'pyarrow', 'jinja2', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_the_stand_in_recipe_is_whole(made):
    assert {step.name for step in recipe()} <= set(made[1].steps)
