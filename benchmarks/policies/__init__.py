"""Policies that learn on figures which take no training: what the papers claim of them, over many runs."""
