"""Training and generation on one device: correctness, speed and text quality beside a CPU and beside bare loops."""
