"""What a network costs on a device: operator graphs, memory, measured and predicted latency."""
