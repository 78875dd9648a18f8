"""One form of Unicode and whitespace for every text, and the repair of text that was decoded wrongly.

The form is NFC, which no reader can tell from what was written. NFKC would write x² as x2, ① as 1 and the Chinese
comma as the ASCII one: it changes what a text says, and what a tokenizer for Chinese sees.
"""

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # where a line may or may not break
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction: text can look like another one
    "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use: icons of a font that is not here
    "\U000e0000-\U000e007f\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Characters that carry no text. Joiners stay: Persian, Indic scripts and emoji need them."""
_SPACE = re.compile(r"[^\S\n\t ]")
_BLANK_LINES = re.compile(r"\n{3,}")
_SUSPECT = re.compile(
    "[\u0080-\u009f\u00c2-\u00f4\u0192\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0402-\u0409][^\x00-\x7f]"
)
"""What UTF-8 looks like when it is read as a code page of one byte a character: a lead byte, and one that follows."""
REPLACEMENT = "\ufffd"
"""Stands for what a decoder could not read."""


def normalise(text: str) -> str:
    """Return the text in NFC, without invisible characters, line ends stripped, at most one empty line in a row."""
    text = unicodedata.normalize("NFC", _SPACE.sub(" ", _CONTROL.sub("", _LINE_ENDS.sub("\n", text))))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n").rstrip()


def repaired(text: str) -> str:
    """Return the text with UTF-8 that was read as a code page (cafÃ©) read rightly, line by line, by ftfy."""
    if not _SUSPECT.search(text):
        return text
    import ftfy

    return "".join(
        ftfy.fix_encoding(line) if _SUSPECT.search(line) else line for line in text.splitlines(keepends=True)
    )


def broken_share(text: str) -> float:
    """Return the share of characters that a decoder could not read."""
    return text.count(REPLACEMENT) / max(len(text), 1)
