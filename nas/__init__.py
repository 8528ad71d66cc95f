"""Search: controllers, evaluators, engines, the trial log, export and the command line."""

__version__ = "0.1.0"
