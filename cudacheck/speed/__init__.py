"""What measurements mean: peaks, verdicts by axis, comparison with an earlier run. Pure: facts in, values out."""
