"""Searches that are killed again and again, and whether they end as if nothing had happened."""
