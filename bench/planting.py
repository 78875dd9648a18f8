"""Copies of documents that differ from the original in a known way, as they do on the web."""

from collections.abc import Sequence
from random import Random

from bench.similarity import GRAM, WORD

BOILERPLATE = {
    "zh": (
        "首页 | 文档 | 下载 | 社区 | 联系我们",
        "您现在的位置：首页 > 帮助中心 > 正文",
        "打印本页 关闭窗口 分享到",
        "上一篇：安装说明 下一篇：常见问题",
        "版权所有，未经许可不得转载。本站内容仅供参考。",
        "如果您发现本页有错误，请发送邮件告诉我们，谢谢。",
    ),
    "": (
        "Home | Documentation | Downloads | Community | Contact",
        "You are here: Home > Help centre > Article",
        "Print this page. Share it with a friend. Subscribe to our newsletter.",
        "Previous: Installation. Next: Frequently asked questions.",
        "All rights reserved. The content of this site is provided as is, without any warranty.",
        "Did you find a mistake on this page? Let us know and we will fix it.",
    ),
}
LOWEST = 0.45
"""Similarity down to which edits go."""
KINDS = ("exact", "whitespace", "boilerplate", *["edits"] * 7)
"""How often each kind is planted, relative to the others."""


def copy_of(text: str, language: str, kind: str, vocabulary: Sequence[str], random: Random) -> str:
    """Return a copy of a text, changed as `kind` says; `vocabulary` gives the words that edits bring in."""
    match kind:
        case "exact":
            return text
        case "whitespace":
            return _respaced(text, random)
        case "boilerplate":
            lines = BOILERPLATE.get(language, BOILERPLATE[""])
            above, below = random.sample(lines, 2), random.sample(lines, 3)
            return "\n".join([*above, "", text, "", *below])
        case _:
            return _edited(text, vocabulary, random)


def _respaced(text: str, random: Random) -> str:
    lines = [line.replace(" ", "  ") if random.random() < 0.2 else line for line in text.split("\n")]
    return "\n".join("  " + line + " " if random.random() < 0.3 else line for line in lines) + "\n\n"


def _edited(text: str, vocabulary: Sequence[str], random: Random) -> str:
    """Change words at the rate that gives a similarity drawn evenly from `LOWEST` to 1.

    With each word changed with probability p, a share s = (1 - p)^5 of the 5-grams survives on either side, and their
    Jaccard similarity is s / (2 - s).
    """
    similarity = random.uniform(LOWEST, 1.0)
    survives = 2 * similarity / (1 + similarity)
    rate = 1 - survives ** (1 / GRAM)
    parts: list[str] = []
    end = 0
    for match in WORD.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(_change(match.group(), vocabulary, random) if random.random() < rate else match.group())
        end = match.end()
    return "".join(parts) + text[end:]


def _change(word: str, vocabulary: Sequence[str], random: Random) -> str:
    """Replace the word (half of the time), drop it, or put another one beside it."""
    other = random.choice(vocabulary)
    return random.choice(
        (other, other, "", word + other if len(word) == 1 and not word.isascii() else f"{word} {other}")
    )
