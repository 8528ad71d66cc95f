"""Regressors: what an architecture will be worth, guessed from those that were tried."""
