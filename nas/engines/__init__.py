"""Engines: where and when trials run. They decide nothing else."""
