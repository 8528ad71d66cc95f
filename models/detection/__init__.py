"""Single-shot detection: anchors, targets, losses, post-processing, mean average precision, training."""
