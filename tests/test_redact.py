"""What a ticket must not carry is gone, and nothing else."""

from __future__ import annotations

from cudacheck.redact import redactor

clean = redactor(home="/home/ada", user="ada", host="turing-01")


def test_home_user_and_host():
    assert clean("/home/ada/venv/bin/python") == "~/venv/bin/python"
    assert clean("/home/adalbert/x") == "/home/<user>/x"
    assert clean("C:\\Users\\Ada Lovelace\\x") == "C:\\Users\\<user>\\x"
    assert clean("ada@turing-01:~$") == "<user>@<host>:~$"


def test_words_that_merely_hold_a_name_stay():
    assert clean("canada adaptive turing-011 a-turing-01-b") == "canada adaptive turing-011 a-turing-01-b"
    root = redactor(home="/root", user="root", host="x")
    assert root({"canonical_root": "root cause in /root/venv and /rooted"}) == {
        "canonical_root": "root cause in ~/venv and /rooted"
    }


def test_gpus_can_still_be_told_apart():
    first, second = "GPU-5f7a9c1e-0b2d-4c6f-8a1b-3d5e7f901234", "GPU-aaaaaaaa-0b2d-4c6f-8a1b-3d5e7f901234"
    shown = clean([first, second, f"torch sees {first}", f"MIG-{first[4:]}"])
    assert shown[0] != shown[1]
    assert shown[0] in shown[2]
    assert shown[3].startswith("MIG-00000000")
    assert not any("5f7a9c1e" in text for text in shown)
