"""Quality of a generated set, measured on features: arrays of shape (items, width) from any judge."""

from __future__ import annotations

from audits.quality.features import FeatureError, as_features, read_features
from audits.quality.frechet import frechet_distance, frechet_finding
from audits.quality.kernel import kernel_distance
from audits.quality.neighbours import Neighbours, neighbour_findings, prdc
from audits.quality.overview import quality_report
from audits.quality.scores import class_score, class_score_finding
from audits.quality.shares import class_shares

__all__ = [
    "FeatureError",
    "Neighbours",
    "as_features",
    "class_score",
    "class_score_finding",
    "class_shares",
    "frechet_distance",
    "frechet_finding",
    "kernel_distance",
    "neighbour_findings",
    "prdc",
    "quality_report",
    "read_features",
]
