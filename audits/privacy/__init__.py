"""Privacy of a training set: does a generated set hold copies of it?"""

from __future__ import annotations

from audits.privacy.copies import copy_ratios, nearest_copies, nearest_distance_ratio

__all__ = ["copy_ratios", "nearest_copies", "nearest_distance_ratio"]
