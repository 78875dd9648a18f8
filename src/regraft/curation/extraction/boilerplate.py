"""Lines of a page that say nothing of its subject: who owns it, that it sets cookies, where to click.

The rule: among the first and last ten lines that are not empty, a line goes that is nothing but such a phrase, or is
short and begins or ends with one. Lines that many documents share are found by counting instead.
"""

import re

EDGE = 10
"""Lines at either end that are looked at. Source: not in the paper."""
LENGTH = 120
"""Characters of a line that may go, at most. Source: not in the paper."""

_WHOLE = (
    r"(?:skip|jump) to (?:main )?(?:content|navigation)|back to top|(?:table of )?contents|prev(?:ious)?|next|up|home"
    r"|(?:prev(?:ious)?|next)(?: page| topic| post| article)?|menu|search|log ?in|sign (?:in|up)|register|share"
    r"|print(?: this page)?|(?:privacy|cookie) (?:policy|notice)|terms (?:of (?:use|service)|and conditions)"
    r"|contact(?: us)?|about us|site ?map|show source|download the ebook"
    r"|跳转?(?:到|至)(?:主要)?内容|返回(?:顶部|首页)|回到顶部|目录|上一页|下一页|上一篇|下一篇|首页|菜单|搜索|登录|注册"
    r"|打印(?:本页)?|隐私(?:政策|权政策)|使用条款|服务条款|联系我们|关于我们|网站地图|上一頁|下一頁|首頁|目錄|登入|搜尋"
)
_BEGINS = (
    r"(?:copyright\s*)?(?:©|\(c\))\s*(?:copyright\s*)?\d{4}|copyright \d{4}|版权所有|版權所有"
    r"|(?:we|this (?:web)?site|our (?:web)?site) uses? cookies|by (?:continuing|using) (?:to|this site)"
    r"|accept (?:all )?cookies|本(?:网站|站|網站)使用\s*cookie|\w?icp备\d"
    r"|share (?:this )?on |分享到|built with |powered by "
)
_ENDS = r"all rights reserved|保留所有权利|保留一切权利|保留所有權利"
_AROUND = r"[\s•·|«»‹›<>←→↑¶:：.。-]*"
_BOILERPLATE = re.compile(rf"{_AROUND}(?:(?:{_WHOLE}){_AROUND}\Z|{_BEGINS}|.*(?:{_ENDS}){_AROUND}\Z)", re.IGNORECASE)


def without_boilerplate(text: str) -> tuple[str, int]:
    """Return the text without its boilerplate lines, and how many they were."""
    lines = text.split("\n")
    full = [number for number, line in enumerate(lines) if line.strip()]
    dropped = {n for n in {*full[:EDGE], *full[-EDGE:]} if len(lines[n]) <= LENGTH and _BOILERPLATE.match(lines[n])}
    if not dropped:
        return text, 0
    return "\n".join(line for number, line in enumerate(lines) if number not in dropped), len(dropped)
