"""Controllers compared at equal budgets over many seeds: run, judged, tested."""
