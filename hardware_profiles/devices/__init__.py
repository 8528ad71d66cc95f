"""Devices that are not this machine: how networks get there, what runs them, and what comes back."""
