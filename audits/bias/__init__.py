"""Bias of a generated set, measured on names of groups and outcomes: one question a file."""

from __future__ import annotations

from audits.bias.representation import representation

__all__ = ["representation"]
