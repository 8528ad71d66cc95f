"""What detectors predict: on which maps, for how many anchors, how many scores."""

from __future__ import annotations

from benchmarks.reproduce.networks import Networks
from models.detection.heads import detector_anchors
from searchspaces.blocks.detection import SCORES
from searchspaces.detection import feature_maps


def feature_sides(networks: Networks, network: str) -> str:
    """The heights of the maps under the predictors."""
    return "-".join(str(height) for height, _ in feature_maps(networks.spec(network)))


def anchor_count(networks: Networks, network: str) -> int:
    """How many anchors there are on all maps."""
    return len(detector_anchors(networks.spec(network)))


def score_count(networks: Networks, network: str) -> int:
    """Scores of an anchor, that of the background too."""
    return networks.spec(network).output_shapes[SCORES][-1]
