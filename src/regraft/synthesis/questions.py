"""The templates: how a real sentence becomes a question with its answer. Pure functions of a document."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from regraft.corpus.document import Document, document_id, meta_json
from regraft.synthesis.measures import STOP_WORDS, words
from regraft.synthesis.snippets import is_prose

_CLOZE_EN = (
    "Which word is missing in this sentence from a text about {title}?\n{sentence}",
    "Topic: {title}. Fill in the blank: {sentence}",
    "Complete this statement on {title}: {sentence}",
)
_NEXT_EN = (
    "A text about {title} says: {sentence} How does it go on?",
    "{sentence}\nWhat comes next in this text about {title}?",
    "On {title}: {sentence} What is to be added?",
)
MIN_PROSE = 60
"""Characters of a line that sentences are taken from; not in the paper."""
_SHORT = "".join(rf"(?<!\b{short})" for short in ("e\\.g", "i\\.e", "vs", "cf", "etc", "Dr", "Mr", "Mrs", "[A-Z]"))
_SENTENCE = re.compile(rf"\S.*?(?:(?:{_SHORT}\.|[!?])(?=\s|$)|[。！？](?=[^”」』]|$))")
_DEFINITION_EN = re.compile(
    r"^(?P<the>(?:An?|The) )?(?P<term>[A-Za-z][\w+./-]*(?: [\w+./-]+){0,3}?) "
    r"(?P<verb>is|are) (?P<what>(?:an?|the) .{25,})"
    r"[.]$"
)
_DEFINITION_ZH = re.compile(r"^(?P<term>[^，。、；：（）\s]{2,20}?)是(?P<what>(?:一[种个套款]|用[来于]|指).{8,})。$")
_REFERS = re.compile(r"(?i)\b(?:chapter|section|figure|table|appendix|footnote)\b|[?]$")
_POINTING = frozenset(
    "it its this that these those they their there he she which what here one such both our your".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that could be made, with where it comes from."""

    template: str
    question: str
    answer: str
    parent: str
    language: str
    start: int
    """Of the sentence in its document, in characters."""
    rank: bytes
    """Seeded; candidates are made in this order."""

    @property
    def text(self) -> str:
        """Question and answer as ordinary text."""
        return f"{self.question}\n\n{self.answer}"

    def document(self, source: str) -> Document:
        return Document(
            id=document_id(source, f"{self.parent}:{self.start}:{self.template}", self.text),
            text=self.text,
            source=source,
            language=self.language,
            parents=(self.parent,),
            meta=meta_json({"template": self.template, "start": str(self.start)}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of running text, and the one after it in the same paragraph ("" for the last)."""

    text: str
    start: int
    following: str


def sentences(text: str) -> Iterator[Sentence]:
    """Yield the sentences of the lines of prose of a text, in order."""
    for line in re.finditer(r"[^\n]+", text):
        if not is_prose(line[0], MIN_PROSE) or not line[0].lstrip()[0].isalnum():
            continue
        found = [(m[0], line.start() + m.start()) for m in _SENTENCE.finditer(line[0])]
        for i, (sentence, start) in enumerate(found):
            yield Sentence(text=sentence, start=start, following=found[i + 1][0] if i + 1 < len(found) else "")


def candidates(document: Document, seed: int) -> list[Candidate]:
    """Return all pairs that the templates of the document's language make of it, in order of the text."""
    templates = {"en": (definition_en, cloze_en, next_en), "zh": (definition_zh, next_zh)}.get(document.language, ())
    title = title_of(document.text)
    found: list[Candidate] = []
    for sentence in sentences(document.text):
        for template in templates:
            pair = template(sentence, title)
            if pair is not None:
                found.append(_candidate(document, sentence, template.__name__, pair, seed))
    return found


def title_of(text: str) -> str:
    """Return the first line of a text without its number (`Chapter 3.`, `C.1.`, `2.4`)."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return re.sub(r"^(?:(?:Chapter|Appendix|Section) )?[A-Z]?\.?(?:\d+\.?)*\s+(?=\S)", "", first) or first


def _candidate(document: Document, sentence: Sentence, template: str, pair: tuple[str, str], seed: int) -> Candidate:
    place = f"{seed} {template} {document.id} {sentence.start}"
    return Candidate(
        template=template,
        question=pair[0],
        answer=pair[1],
        parent=document.id,
        language=document.language,
        start=sentence.start,
        rank=hashlib.sha256(place.encode()).digest(),
    )


def definition_en(sentence: Sentence, title: str) -> tuple[str, str] | None:
    """`X is a ...` -> What is X?"""
    match = _DEFINITION_EN.match(sentence.text)
    if match is None or _POINTING & set(words(match["term"])) or words(match["term"])[-1] in STOP_WORDS:
        return None
    article = (match["the"] or "").lower()
    question = f"What {match['verb']} {article}{match['term'] if article else _name(match['term'])}?"
    return question, sentence.text


def _name(term: str) -> str:
    """Lower the first letter of a plural that is only capital because it begins the sentence."""
    plain = term[0].isupper() and term[1:].islower() and term.endswith("s") and " " not in term
    return term.lower() if plain else term


def _stands_alone(sentence: Sentence) -> bool:
    """Return whether a sentence begins with no pointing word and refers to no place of its book."""
    return not _POINTING & set(words(sentence.text)[:1]) and not _REFERS.search(sentence.text)


def _one_of(wordings: tuple[str, ...], sentence: Sentence) -> str:
    """Choose a wording; with one alone a model would learn the wording."""
    return wordings[hashlib.sha256(sentence.text.encode()).digest()[0] % len(wordings)]


def cloze_en(sentence: Sentence, title: str) -> tuple[str, str] | None:
    """A sentence with its most particular word left out, the word as the answer; the word is named only once."""
    tokens = [token.strip("\"“”'’(),.;:") for token in sentence.text.split()[1:]]
    plain = (t for t in tokens if len(t) >= 5 and t.isalpha() and t.lower() not in STOP_WORDS)
    once = [t for t in plain if tokens.count(t) == 1]
    if not once or not 10 <= len(tokens) <= 40 or not _stands_alone(sentence):
        return None
    term = max(once, key=lambda t: (any(c.isupper() for c in t), len(t), t))
    blanked = re.sub(rf"\b{re.escape(term)}\b", "____", sentence.text)
    return _one_of(_CLOZE_EN, sentence).format(title=title, sentence=blanked), f"{term}. {sentence.text}"


def next_en(sentence: Sentence, title: str) -> tuple[str, str] | None:
    """A sentence -> the one that follows it."""
    if len(words(sentence.text)) < 8 or len(words(sentence.following)) < 8:
        return None
    return _one_of(_NEXT_EN, sentence).format(title=title, sentence=sentence.text), sentence.following


def definition_zh(sentence: Sentence, title: str) -> tuple[str, str] | None:
    """`某物是一种……` -> 什么是某物？"""
    match = _DEFINITION_ZH.match(sentence.text)
    if match is None or re.match(r"[这那它他她此其本该]|以[上下]|[一二三四五]", match["term"]):
        return None
    return f"什么是{match['term']}？", sentence.text


def next_zh(sentence: Sentence, title: str) -> tuple[str, str] | None:
    """A sentence -> the one that follows it."""
    if len(sentence.text) < 15 or len(sentence.following) < 15:
        return None
    return f"一篇关于“{title}”的文章写道：{sentence.text}接下来怎么说？", sentence.following
