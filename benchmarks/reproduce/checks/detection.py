"""What detectors predict: on which maps, for how many anchors, how many scores."""

from __future__ import annotations

from benchmarks.reproduce.networks import Networks
from models.detection.heads import BOXES, SCORES, detector_anchors, head_nodes


def feature_sides(networks: Networks, network: str) -> str:
    """The heights of the maps under the predictors."""
    return "-".join(str(node.shape[0]) for node in head_nodes(networks.spec(network), BOXES))


def anchor_count(networks: Networks, network: str) -> int:
    """How many anchors there are on all maps."""
    return len(detector_anchors(networks.spec(network)))


def score_count(networks: Networks, network: str) -> int:
    """Scores of an anchor, that of the background too."""
    return networks.spec(network).output_shapes[SCORES][-1]
