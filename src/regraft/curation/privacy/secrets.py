"""Keys and tokens that open something: private keys, and what detect-secrets knows by the prefix of its maker."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

REACH = 1200
"""Characters after its prefix that a token has at most; the longest are JSON web tokens."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----).){40,20000}"
    r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    re.DOTALL,
)
_ENCODED = re.compile(r"[A-Za-z0-9+/=]{40}")
_PREFIXES = (
    *(
        "AKIA",
        "ASIA",
        "ABIA",
        "ACCA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "gldt-",
        "glrt-",
    ),
    *(
        "glptt-",
        "eyJ",
        "sk-",
        "xoxa-",
        "xoxb-",
        "xoxp-",
        "xoxo-",
        "xoxs-",
        "xoxr-",
        "https://hooks.slack.com/services/T",
    ),
    *("npm_", "pypi-AgE", "SG.", "sq0csp-", "sk_live_", "rk_live_", "AccountKey=", "hf_", "AIza"),
)
_PREFIX = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, _PREFIXES))})")
_DETECTORS = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "GitHubTokenDetector", "GitLabTokenDetector", "JwtTokenDetector"),
    *("PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector"),
    "StripeDetector",
)
"""Those of detect-secrets that know a token by itself; the others look for words like "password", or find any hash."""
_OTHERS = (
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"sk-(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{32,200}",
    r"github_pat_[A-Za-z0-9_]{60,100}",
    r"hf_[A-Za-z]{34}",
    r"npm_[A-Za-z0-9]{36}",
    r"AIza[A-Za-z0-9_-]{35}",
)
"""Whole JSON web tokens, and tokens of OpenAI and its like, GitHub, Hugging Face, npm and Google."""


def keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield where private keys and tokens stand; AWS's own examples are nobody's."""
    if "PRIVATE KEY" in text:
        yield from (match.span() for match in _PRIVATE_KEY.finditer(text) if _ENCODED.search(match[0]))
    if not any(prefix in text for prefix in _PREFIXES):
        return
    last = 0
    for prefix in _PREFIX.finditer(text):
        if prefix.start() < last:
            continue
        end = prefix.start() + REACH
        found = [match for pattern in _patterns() if (match := pattern.match(text, prefix.start(), end))]
        best = max(found, key=lambda match: match.end(), default=prefix)
        last = best.end()
        if found and "EXAMPLE" not in best[0]:
            yield best.span()


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: dict[str, Any] = {found.__name__: found for found in get_mapping_from_secret_type_to_class().values()}
    shipped: list[re.Pattern[str]] = [pattern for name in _DETECTORS for pattern in known[name].denylist]
    return (*shipped, *(re.compile(rf"{pattern}(?![A-Za-z0-9])") for pattern in _OTHERS))
