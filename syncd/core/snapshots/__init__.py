"""What a Consul snapshot holds, and which snapshots are kept: bytes and dates in, values out."""
