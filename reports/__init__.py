"""Pareto analysis and the report of a search."""
