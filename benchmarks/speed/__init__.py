"""How fast and how steady the tool itself is: ratios found in one run on one machine, with what each should reach."""
