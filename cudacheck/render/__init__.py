"""Renderers: one file a format; they show a report and decide nothing."""
