"""Numbers that a state or a bank gives to one person, told by their check digits."""

import re
from collections.abc import Iterator

_RESIDENT = re.compile(r"\d(?<![\w.-]\d)\d{16}[\dXx](?![\w-]|\.\d)", re.ASCII)
_SOCIAL_SECURITY = re.compile(r"\d(?<![\w.-]\d)\d{2}-\d{2}-\d{4}(?![\w-]|\.\d)", re.ASCII)
_CARD = re.compile(
    r"\d(?<![\w.-]\d)(?:\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|(?<=3)[47]\d\d([ -])\d{6}\2\d{5}|\d{12,18})"
    r"(?![\w-]|\.\d)",
    re.ASCII,
)
_ISSUER = re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|35(?:2[89]|[3-8])|6(?:011|4[4-9]|5|2)")
"""Visa, Mastercard, American Express, JCB, Discover, UnionPay. Source: ISO/IEC 7812, the ranges of the issuers."""
_CALLED = re.compile(
    r"(?:\b(?:card|visa|mastercard|amex|unionpay|account)|卡号|卡號|银行卡|銀行卡|信用卡|账号|帳號|账户)[^\d\n]{0,16}\Z",
    re.IGNORECASE,
)


def id_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield where Chinese resident identity numbers and US social security numbers stand."""
    from stdnum.cn import ric
    from stdnum.us import ssn

    for match in _RESIDENT.finditer(text):
        if ric.is_valid(match[0]):
            yield match.span()
    for match in _SOCIAL_SECURITY.finditer(text):
        if ssn.is_valid(match[0]):
            yield match.span()


def card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield where numbers of payment cards stand, written in groups or called a card."""
    from stdnum import luhn

    for match in _CARD.finditer(text):
        grouped = match[1] or match[2]
        number = match[0].replace(grouped, "") if grouped else match[0]
        called = grouped or _CALLED.search(text, max(0, match.start() - 32), match.start())
        if called and _ISSUER.match(number) and luhn.is_valid(number):
            yield match.span()
