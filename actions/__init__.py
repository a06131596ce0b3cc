"""What requests can ask for: plain functions, registered by name."""
