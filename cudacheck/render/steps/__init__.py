"""Draws what `bench steps` measured."""
