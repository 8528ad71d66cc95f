"""Clips on the host: frames from files and folders, which of them a network sees, and what it is fed."""
