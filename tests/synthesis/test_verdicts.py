from regraft.corpus.document import Reject
from regraft.synthesis.verdicts import Verdicts


def test_each_check_is_counted_alone_first_and_only():
    verdicts = Verdicts()
    for reasons in (["short", "invented"], ["invented"], ["invented", "invented"], []):
        verdicts.add("demands", [Reject(reason) for reason in reasons])
    verdicts.add("judge", [Reject("low")])
    verdicts.add("form", [])
    assert list(verdicts.rows()) == [
        {"check": "demands.invented", "pairs": 4, "alone": 3, "first": 2, "only": 2},
        {"check": "demands.short", "pairs": 4, "alone": 1, "first": 1, "only": 0},
        {"check": "judge.low", "pairs": 1, "alone": 1, "first": 1, "only": 1},
    ]
