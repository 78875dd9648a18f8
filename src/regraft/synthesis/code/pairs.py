"""A problem, its solution and its tests: read out of what a model wrote, and checked as far as reading goes."""

import ast
import re
from dataclasses import dataclass

from regraft.core import ConfigError
from regraft.corpus.document import Reject
from regraft.synthesis.measures import reference_to_source, repetition, words
from regraft.synthesis.pairs import Pair, heading, without_thought
from regraft.synthesis.verify import language_of

_PROBLEM = heading("problem|problem statement|question|task|exercise|description")
_SOLUTION = heading("solution|code|implementation|answer")
_TESTS = heading("tests?|test cases?|unit tests?|assertions?")
_FENCE = re.compile(r"(?ms)^[ \t]*```[ \t]*[\w+-]*[ \t]*\n(.*?)(?:^[ \t]*```|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePair:
    """A problem in words, and two programs."""

    problem: str
    solution: str
    tests: str

    @property
    def pair(self) -> Pair:
        """What becomes a document: the tests have served when they are passed."""
        return Pair(problem=self.problem, solution=f"```python\n{self.solution}\n```")


def parse_code(text: str) -> CodePair | Reject:
    """Return the first problem in what a model wrote, or what is missing.

    Code may be fenced or not; assertions that follow the solution in its block are tests too. Words around code, a
    second problem and what follows it are dropped.
    """
    text = without_thought(text)
    prose = _FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)  # a comment in code is no heading
    problem = _PROBLEM.search(prose)
    if problem is None:
        return Reject("unparsable", "no section Problem")
    solution = _SOLUTION.search(prose, problem.end())
    if solution is None:
        return Reject("unparsable", "no section Solution")
    following = _PROBLEM.search(prose, solution.end())
    end = following.start() if following else len(text)
    tests = _TESTS.search(prose, solution.end(), end)
    code, more = _without_asserts(_code(text[solution.end() : tests.start() if tests else end]))
    asserted = _code(text[tests.end() : end]) if tests else ""
    pair = CodePair(
        problem=text[problem.end() : solution.start()].strip(" \n*#-"),
        solution=code,
        tests="\n".join(filter(None, (more, asserted))),
    )
    for name in ("problem", "solution", "tests"):
        if not getattr(pair, name):
            return Reject("unparsable", f"section {name.title()} is missing or empty")
    return pair


def _code(section: str) -> str:
    """Return the code of a section: that of its fences, else the section itself."""
    blocks = _FENCE.findall(section)
    return "\n\n".join(block.strip("\n").rstrip() for block in blocks).strip("\n") if blocks else section.strip()


def _without_asserts(code: str) -> tuple[str, str]:
    """Return a program without its own tests, and these: assertions and output on the outermost level."""
    tree = parsed(code)
    if tree is None:
        return code, ""
    lines = code.splitlines()
    tests: list[str] = []
    for node in reversed(tree.body):
        if isinstance(node, ast.Assert):
            tests.insert(0, ast.unparse(node))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) and not _is_main(node):
            break
        del lines[node.lineno - 1 :]
    while lines and (not lines[-1].strip() or lines[-1].startswith("#")):
        lines.pop()
    return "\n".join(lines), "\n".join(tests)


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.dump(node.test)


def parsed(code: str) -> ast.Module | None:
    """Return the syntax tree of a program, None where it is none."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def num_assertions(tests: str) -> int:
    """Return how many assertions about anything stand in a program: statements, and calls of `self.assertEqual` alike.

    `assert 1 == 1` is about nothing.
    """
    tree = parsed(tests)
    return sum(map(_asserts, ast.walk(tree))) if tree else 0


def _asserts(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=said):
            return _names_something(said)
        case ast.Call(func=ast.Attribute(attr=name), args=said) if name.startswith("assert"):
            return any(map(_names_something, said))
        case _:
            return False


def _names_something(said: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) for node in ast.walk(said))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDemands:
    """What a problem must show before and besides passing its tests. None of it is in the paper."""

    min_problem_words: int = 8
    max_words: int = 800
    min_assertions: int = 2
    max_repetition: float = 0.4
    """Share of word trigrams that were there before; code repeats itself more than prose."""
    max_similarity: float = 0.6
    """Jaccard index of word 5-grams with a pair kept before, and of its problem with a seed problem."""

    def __post_init__(self) -> None:
        for name in ("max_repetition", "max_similarity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"demands.{name} is {getattr(self, name)}; give a share from 0 to 1.")
        if self.min_assertions < 1:
            raise ConfigError(f"demands.min_assertions is {self.min_assertions}; tests need at least 1.")

    def rejects(self, pair: CodePair, finish_reason: str, language: str) -> list[Reject]:
        """Return every demand that a problem does not meet as far as reading goes, in the order that is named."""
        size, total = len(words(pair.problem)), len(words(pair.pair.text))
        asserted, found = num_assertions(pair.tests), language_of(pair.problem)
        repeated, pointing = repetition(pair.pair.text), reference_to_source(pair.problem)
        unmet = [
            Reject("truncated", "the model was cut at max_tokens") if finish_reason == "length" else None,
            Reject("too_short", f"problem of {size} words; at least {self.min_problem_words}")
            if size < self.min_problem_words
            else None,
            Reject("too_long", f"{total} words; at most {self.max_words}") if total > self.max_words else None,
            _no_program(pair),
            Reject("few_assertions", f"{asserted} that test; at least {self.min_assertions}")
            if asserted < self.min_assertions
            else None,
            Reject("language", found) if found != language else None,
            Reject("repetition", f"{repeated:.3f}; at most {self.max_repetition:g}")
            if repeated > self.max_repetition
            else None,
            Reject("refers_to_text", pointing) if pointing else None,
        ]
        return [reject for reject in unmet if reject is not None]


def _no_program(pair: CodePair) -> Reject | None:
    """Return why solution or tests are no programs that can be run."""
    tree = parsed(pair.solution)
    if tree is None or parsed(pair.tests) is None:
        return Reject("syntax", "solution" if tree is None else "tests")
    defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    return None if defines else Reject("no_function", "the solution defines neither a function nor a class")
