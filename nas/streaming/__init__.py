"""Networks that see one frame at a time: their .tflite files fed from arrays, videos, folders and cameras."""
