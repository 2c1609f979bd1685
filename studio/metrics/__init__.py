"""How good a rendering is: one definition for each measure, cited, with units and direction.

Everything is measured on uint8 RGB pictures ``[T, H, W, 3]`` frame by frame; landmarks, head parameters and
identity embeddings come from outside, because this package finds no faces itself.
"""

from __future__ import annotations

from studio.metrics.catalog import METRICS, metric
from studio.metrics.metric import Metric, Need, Observed, Unavailable
from studio.metrics.summary import Summary, summarise

__all__ = ["METRICS", "Metric", "Need", "Observed", "Summary", "Unavailable", "metric", "summarise"]
