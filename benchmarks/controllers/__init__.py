"""Controllers and peers on published tables: regret under hard latency limits, and trials to the whole front."""
