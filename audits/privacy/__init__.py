"""Privacy of a training set: does a generated set hold copies of it?"""

from __future__ import annotations

from audits.privacy.copies import copies_finding, copy_ratios, nearest_copies, nearest_distance_ratio

__all__ = ["copies_finding", "copy_ratios", "nearest_copies", "nearest_distance_ratio"]
