"""Export of detectors: raw heads to be decoded on the host, or with the post-processing in the file."""
