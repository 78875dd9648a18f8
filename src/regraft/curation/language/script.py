"""Simplified and traditional Chinese, told apart and converted by the tables of OpenCC."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from regraft.core import ConfigError, Context, Kind, Metrics, stage
from regraft.corpus.document import Changed, Document, meta_json

Script = Literal["Hans", "Hant", ""]
"""ISO 15924; empty where too few characters tell."""
MIN_SIGNS = 3
"""Characters that are of one script only, from which it is told. Source: not in the paper."""
MIN_SHARE = 0.7
"""Of such characters that are of the one script. Source: not in the paper; on pages of manuals it is 0.97 and more."""


def script(text: str) -> tuple[Script, float]:
    """Return the script of a Chinese text and the share that it has of the characters which are of one script only."""
    simplified, traditional = _signs()
    hans, hant = len(simplified.findall(text)), len(traditional.findall(text))
    share = max(hans, hant) / max(hans + hant, 1)
    if hans + hant < MIN_SIGNS or share < MIN_SHARE:
        return "", share
    return ("Hans" if hans > hant else "Hant"), share


def with_meta(document: Document, **values: str) -> Document:
    """Return the document with these values in its meta."""
    return replace(document, meta=meta_json({**json.loads(document.meta), **values}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertConfig:
    """Which way."""

    conversion: Literal["t2s", "tw2s", "tw2sp", "hk2s", "s2t"] = "t2s"
    """A conversion of OpenCC; `tw2sp` also puts the words of Taiwan into those of the mainland."""

    def __post_init__(self) -> None:
        if self.conversion not in ("t2s", "tw2s", "tw2sp", "hk2s", "s2t"):
            raise ConfigError(f"conversion is {self.conversion!r}; OpenCC has t2s, tw2s, tw2sp, hk2s and s2t.")


@stage(version=1, makes=Kind.CORPUS, docs=Kind.CORPUS)
def convert_script(config: ConvertConfig, ctx: Context) -> Metrics:
    """Write all documents, Chinese ones in the other script of Chinese; those of other languages stay as they are."""
    from regraft.corpus.dataflow import transform

    return transform(Convert(config), ctx, "convert_script")


@dataclass(frozen=True, slots=True)
class Convert:
    """The kernel of `convert_script`."""

    config: ConvertConfig

    def __call__(self, document: Document) -> Document | Changed:
        source = "Hans" if self.config.conversion == "s2t" else "Hant"
        if document.language not in ("", "zh") or script(document.text)[0] != source:
            return document
        converted = replace(document, text=_converter(self.config.conversion)(document.text))
        return Changed(with_meta(converted, script="Hant" if source == "Hans" else "Hans"), {"converted": 1})


@cache
def _converter(conversion: str) -> Callable[[str], str]:
    from opencc import OpenCC

    return OpenCC(conversion).convert


@cache
def _signs() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return patterns of the characters that only simplified, and only traditional, Chinese has."""
    han = [chr(code) for start, end in ((0x4E00, 0x9FFF), (0x3400, 0x4DBF)) for code in range(start, end + 1)]
    lines = "\n".join(han)
    to_simplified = _converter("t2s")(lines).split("\n")
    to_traditional = _converter("s2t")(lines).split("\n")
    traditional = [c for c, other in zip(han, to_simplified, strict=True) if c != other]
    simplified = [c for c, other in zip(han, to_traditional, strict=True) if c != other and c not in AMBIGUOUS]
    return re.compile(f"[{''.join(simplified)}]"), re.compile(f"[{''.join(traditional)}]")


AMBIGUOUS = frozenset("游群秘咨灶皂伙种后里面发了台几只制向系据准御范松斗余谷表采着占周干吃")
"""Simplified forms that traditional text has as well, as characters of their own."""
