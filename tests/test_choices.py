"""The PyTorch that is chosen exists, runs there, is no needless downgrade, and breaks nothing without a word.

A seeded sample; `python tests/choices.py` goes through all.
"""

import random

import pytest
from choices import Environment, environments, faults

SAMPLE = random.Random(9).sample(environments(), 1200)


def test_a_sample_of_all_environments():
    wrong = {environment: found for environment in SAMPLE if (found := faults(environment)[0])}
    assert not wrong


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        (Environment("2.15 trio", "8.9", "580.95.05", "3.12", "x86_64", "pip"), "a build"),
        (Environment("2.15 trio", "9.0", "580.95.05", "3.12", "aarch64", "uv"), "a build"),
        (Environment("nothing", "12.0", "510.47.03", "3.12", "x86_64", "pip"), "a driver"),
        (Environment("nothing", "9.0", "470.161.03", "3.9", "x86_64", "pip"), "a driver"),
        (Environment("nothing", "12.0", "570.124.06", "3.12", "aarch64", "pip"), "a build"),
        (Environment("2.8 trio", "12.0", "620.70.06", "3.13", "x86_64", "conda"), "a build"),
        (Environment("nothing", "3.5", "470.161.03", "3.12", "x86_64", "pip"), "words alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.installed} {value.capability} {value.driver}",
)
def test_the_cases_that_were_wrong(environment, kind):
    assert faults(environment) == ([], [kind])
