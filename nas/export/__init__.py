"""From a trained network to a checked .tflite file with its papers."""
