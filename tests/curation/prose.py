"""Running text of two languages that every filter keeps."""

from regraft.corpus.document import Document, Outcome, Reject

ENGLISH = (
    "A graft joins a young shoot to an old root, and the tree that grows from it keeps the strength of the root and "
    "the fruit of the shoot. Gardeners have known this for two thousand years, and they still cut the wood with a "
    "sharp knife, bind it with a strip of bark and wait for the summer to see whether it will take."
)
CHINESE = (
    "嫁接是把一种植物的枝条接到另一种植物的根上，使它们长成一个整体。老树保持原有的力量，新枝结出更好的果实。"
    "园丁在春天用锋利的刀把两边斜着切开，让切口紧紧贴在一起，再用布条绑好，等待木质慢慢愈合。这种方法已经用了两千多年，今天的果园里还是这样做。"
)


def document(text: str, language: str = "", id_: str = "a", meta: str = "{}") -> Document:
    return Document(id=id_, text=text, source="s", language=language, meta=meta)


def reason(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Reject) else ""
