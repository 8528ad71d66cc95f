"""Controllers: what to look at next, given what is known."""
