"""A sample of what tests/tools/healthy.py draws: healthy machines in every format that is read, and no alarm."""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tools"))
import healthy  # type: ignore[import-not-found]


def test_no_alarm():
    assert list(healthy.alarms(range(150), seed=11)) == []


def test_every_format_is_drawn_and_read():
    drawn = {name for number in range(400) for name in healthy.draw(random.Random(number))[0]}
    assert drawn == {made.__name__ for made in healthy.FORMATS}


def test_the_environments_are_many():
    """That none fits would pass every other test."""
    every = healthy.environments()
    assert len(every) > 10_000
    assert {e.system for e in every} == {*healthy.SYSTEMS}


def test_an_alarm_is_noticed(monkeypatch):
    """The driver of the oldest branch beside a build of CUDA 13."""
    sick = next(e for e in healthy.environments() if e.cuda.startswith("13"))
    monkeypatch.setattr(
        healthy, "environments", lambda: [healthy.Environment(**{**vars(sick), "driver": "470.256.02"})]
    )
    assert any("driver-too-old" in what for _, _, what in healthy.alarms(range(30), seed=1))
