"""Published figures beside ours: read from tables, found again from the networks, and judged."""
