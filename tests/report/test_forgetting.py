"""The sentence on the guard, from made-up tables."""

from typing import Any

import pytest

from regraft.report.forgetting import told

GUARD: dict[str, Any] = {"protected": ["wiki", "pubmed"], "replay": "en", "limit": 0.05}
MIXTURE: dict[str, Any] = {
    "groups": [
        {"name": "zh", "sources": [{"language": "", "name": "web"}, {"language": "zh", "name": "wiki"}]},
        {"name": "en", "sources": [{"language": "en", "name": "wiki"}]},
    ]
}


def shares(*replay: float) -> list[dict[str, Any]]:
    """Return the shares at the start and after each third step."""
    return [
        {"step": 3 * n, "stream": stream, "share": share}
        for n, en in enumerate(replay)
        for stream, share in (("zh/web/-", (1 - en) / 2), ("zh/wiki/-", (1 - en) / 2), ("en/wiki/-", en))
    ]


def held_out(*rises: float, last: int = 9) -> list[dict[str, Any]]:
    """Return losses of two topics of wiki, of which one rises, of pubmed, which falls, and of web, which soars."""
    rows: list[dict[str, Any]] = []
    for n, rise in enumerate((0.0, *rises, 9.0)):
        step = last if n > len(rises) else 3 * n
        for language, source, topic, loss in (
            ("en", "wiki", "a", 200 + 200 * rise),
            ("en", "wiki", "b", 300.0),
            ("en", "pubmed", "-", 200.0 - n),
            ("zh", "web", "-", 200.0 + 100 * n),
        ):
            rows.append(
                {"step": step, "language": language, "source": source, "topic": topic, "loss": loss, "tokens": 100}
            )
    return rows


def event(step: int, what: str = "guarded", stream: str = "") -> dict[str, Any]:
    return {"step": step, "what": what, "stream": stream, "detail": "so"}


WATCHED = "A forgetting guard watched en/pubmed and en/wiki, with a limit of 0.05 nats a token above the start: "


@pytest.mark.parametrize(
    ("replay", "rises", "events", "said"),
    [
        (
            (0.2, 0.2, 0.2),
            (0.01, 0.02),
            [event(6, "ended", "zh/web/-")],
            "it had no cause to act; of 2 decisions, the largest rise was 0.0200 (en/wiki, after step 6).",
        ),
        ((0.2, 0.2, 0.2), (-0.01, -0.02), [], "it had no cause to act; of 2 decisions, none saw a rise."),
        (
            (0.2, 0.2),
            (0.06,),
            [],
            "it had no cause to act; of 1 decision, the largest rise was 0.0600 (en/wiki, after step 3, within noise).",
        ),
        (
            (0.2, 0.3, 0.4, 0.3),
            (0.07, 0.06, 0.01),
            [event(3), event(6), event(9)],
            "it raised en from 20.0 % to 40.0 % at most; of 3 decisions, the largest rise was 0.0700 (en/wiki, after "
            "step 3).",
        ),
        (
            (0.2, 0.3, 0.3),
            (0.07, 0.5),
            [event(3), event(6, "stopped")],
            "it raised en from 20.0 % to 30.0 % at most and it stopped the training after step 6; of 2 decisions, the "
            "largest rise was 0.5000 (en/wiki, after step 6).",
        ),
        (
            (0.2, 0.2),
            (0.07,),
            [event(3)],
            "it found cause to act and could not raise replay; of 1 decision, the largest rise was 0.0700 (en/wiki, "
            "after step 3).",
        ),
    ],
)
def test_what_the_guard_did_is_one_sentence(
    replay: tuple[float, ...], rises: tuple[float, ...], events: list[dict[str, Any]], said: str
) -> None:
    """The losses at the last step, after all decisions, are none that the guard saw."""
    found = told(GUARD, MIXTURE, shares(*replay), held_out(*rises, last=50), events)
    assert found == WATCHED + said


def test_a_guard_without_replay_is_told_of_too() -> None:
    found = told({**GUARD, "replay": ""}, MIXTURE, shares(0.2, 0.2), held_out(0.01), [])
    assert found.startswith(WATCHED + "it had no cause to act")


def test_without_a_decision_there_is_nothing_to_tell() -> None:
    assert told(GUARD, MIXTURE, shares(0.2), held_out(), []) == ""
