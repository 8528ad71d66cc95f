"""Between our searches and those of others: our controllers in Ray Tune and Optuna, their samplers in ours."""
