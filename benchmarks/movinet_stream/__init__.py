"""MoViNet streams beside those of tf-models-official, where an interpreter with that package is at hand."""
