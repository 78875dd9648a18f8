"""E-mail addresses, phone numbers and internet addresses of people, in English and Chinese text."""

import ipaddress
import re
import string
from collections.abc import Iterator, Sequence
from itertools import chain

REGIONS = ("CN", "US")
"""Whose phone numbers are known without the code of the country."""

# --- e-mail -----------------------------------------------------------------------------------------------------------

_AT = re.compile(r"[@＠]")
_SPELT_AT = re.compile(r"[\[(（]\s?at\s?[\])）]\s?", re.IGNORECASE)
_DOT = r"(?:\.|\s?[\[(（]\s?dot\s?[\])）]\s?)"
_DOMAIN = re.compile(rf"(?:[a-z0-9-]{{1,63}}{_DOT}){{1,6}}([a-z]{{2,24}})(?![a-z0-9_@])", re.IGNORECASE | re.ASCII)
_LOCAL = string.ascii_letters + string.digits + "".join(map(chr, range(0xC0, 0x250)))
"""Of the name before the sign; Chinese stands right beside it without being part of it."""
_EXAMPLE = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost|local)\Z", re.IGNORECASE)
"""Domains that are nobody's. Source: RFC 2606, RFC 6761, RFC 6762."""
_NO_DOMAIN = frozenset(
    (
        "service",
        "socket",
        "target",
        "mount",
        "timer",
        "slice",
        "scope",
        "device",
        "automount",
        "png",
        "jpg",
        "svg",
        "gif",
    )
)
"""Ends of names of systemd units and images, which have an @ too; none is a top-level domain."""


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield where addresses stand; examples are nobody's, and `git@host` is an account of everybody's."""
    for at in chain(_AT.finditer(text), _SPELT_AT.finditer(text)):
        before = text[max(0, at.start() - 64) : at.start()]
        before = before if at[0] in "@＠" else before.removesuffix(" ")
        local = before[len(before.rstrip(_LOCAL + "._%+-")) :].lstrip("._%+-")
        domain = _DOMAIN.match(text, at.end())
        if not local or local == "git" or domain is None or domain[1].lower() in _NO_DOMAIN:
            continue
        if not _EXAMPLE.search(domain[0]):
            start = max(0, at.start() - 64) + len(before) - len(local)
            yield start, domain.end()


# --- phone numbers ----------------------------------------------------------------------------------------------------

_NUMBER = re.compile(
    r"[+\d(（](?<![\w.+/#-].)"
    r"(?:(?<=\+)\d{1,3}[ -]?(?:[(（]\d{1,4}[)）][ -]?)?\d{2,11}|(?<=[(（])\+?\d{2,4}[)）][ -]?\d{2,11}|(?<=\d)\d{1,10})"
    r"(?:[ .-]\d{2,11}){0,4}(?![\w/:=]|[.-]\d)",
    re.ASCII,
)
"""Here and below a pattern begins with what it may begin with, and looks back after that: several times as fast."""
_SHAPES = {
    "CN": re.compile(
        r"1[3-9]\d([ -])\d{4}\1\d{4}|0086[ -]?1[3-9]\d([ -]?)\d{4}\2\d{4}"  # a mobile phone
        r"|[(（]?0\d{2,3}(?:[)）][ -]?|-)[2-8]\d{2,3}[ -]?\d{4}"  # a line
    ),
    "US": re.compile(r"[(]\d{3}[)] ?\d{3}-\d{4}|\d{3}([.-])\d{3}\1\d{4}"),
}
"""What is written as phone numbers of a region are, and as little else is."""
_CALL = re.compile(
    r"(?:\b(?:phone|tel|telephone|mobile|cell|call|fax|whatsapp|hotline)|电话|电話|電話|手机|手機|热线|熱線|致电|致電|传真|傳真|联系方式|微信)"
    r"[^\d\n]{0,12}\Z",
    re.IGNORECASE,
)


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Yield where numbers stand that a country gives out: with its code, in the shape of one, or called a phone."""
    for match in _NUMBER.finditer(text):
        number = match[0]
        digits = sum(map(str.isdigit, number))
        if not 7 <= digits <= 15:
            continue
        called = _CALL.search(text, max(0, match.start() - 24), match.start())
        if not called and text[max(0, match.start() - 1) : match.start()] in (":", "="):
            continue  # a field of something else
        if number.startswith(("+", "(+", "（+")):
            regions: Sequence[str | None] = (None,)
        else:
            regions = REGIONS if called else [region for region, shape in _SHAPES.items() if shape.fullmatch(number)]
        if any(_given_out(number, region) for region in regions):
            yield match.span()


def _given_out(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


# --- internet addresses -----------------------------------------------------------------------------------------------

_IPV4 = re.compile(r"(\d(?<![\w.-]\d)\d{0,2})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w-]|\.\w|/\d)", re.ASCII)
_IPV6 = re.compile(
    r"[23](?<![\w:.][23])[0-9a-f]{3}:(?:[0-9a-f]{0,4}:){1,6}[0-9a-f]{0,4}(?![\w:.]|/\d)", re.IGNORECASE | re.ASCII
)
_VERSION = re.compile(r"(?:\b(?:versions?|ver|release|rev|build|firmware|kernel)|版本|版)[^\d\n]{0,8}\Z", re.IGNORECASE)
_SERVERS = frozenset(
    ("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "114.114.114.114", "223.5.5.5", "223.6.6.6")
)
"""Name servers for everybody."""
SMALL = 32
"""An address whose first three numbers are not above is taken for a version or a section: "2.6.32.21"."""


def ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield where addresses of single machines on the public internet stand, that are no version or section numbers."""
    for match in _IPV4.finditer(text):
        parts = [int(part) for part in match.groups()]
        version = max(parts[:3]) <= SMALL or _VERSION.search(text, max(0, match.start() - 24), match.start())
        if not version and parts[3] and match[0] not in _SERVERS and _public(match[0]):
            yield match.span()
    for match in _IPV6.finditer(text):
        if _public(match[0]):
            yield match.span()


def _public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_global and not found.is_multicast
