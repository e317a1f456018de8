"""What a run computes on: devices, cores, and several processes."""
