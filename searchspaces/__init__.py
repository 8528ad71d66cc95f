"""Search spaces: choices, architectures, and the networks they stand for."""
