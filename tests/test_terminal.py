import io
import logging
import sys

import pytest

from regraft.terminal import PlainProgress, PlainTicker, duration, setup


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (12_000, "3 h 20 min")]
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_plain_line_has_share_rate_and_time_left() -> None:
    ticker = PlainTicker(logging.getLogger("regraft"), "train", 90, "steps", 30, start=30)
    ticker.since -= 10
    ticker.advance(10)
    assert ticker.line("loss 2.0").startswith("train 40/90 steps (44%), 1 steps/s, 50 s left, loss 2.0")


def test_plain_lines_are_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    progress = setup()
    assert isinstance(progress, PlainProgress)
    ticker = progress.track("score", 100, "documents")
    ticker.advance(1)
    assert err.getvalue() == ""
    assert isinstance(ticker, PlainTicker)
    ticker.shown -= 11
    ticker.advance(1)
    assert "score 2/100 documents (2%)" in err.getvalue()
    progress.finish(ticker)


def test_rich_bars_come_and_go() -> None:
    from regraft.terminal_rich import RichProgress

    progress = RichProgress()
    ticker = progress.track("score", 100, "documents", done=10)
    ticker.advance(5, "note")
    assert progress.bars.tasks[0].completed == 15
    progress.finish(ticker)
    assert not progress.bars.tasks
