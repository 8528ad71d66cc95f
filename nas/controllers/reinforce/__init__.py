"""REINFORCE with a factorised policy, and TabNAS's rejection of what breaks a hard limit."""

from nas.controllers.reinforce.controller import Reinforce

__all__ = ["Reinforce"]
