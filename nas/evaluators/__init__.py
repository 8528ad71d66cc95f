"""Evaluators: how good an architecture is."""
