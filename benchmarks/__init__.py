"""Tasks, data sets, published figures and measurements of the tool itself."""
