"""Keras networks built from a NetworkSpec."""
