"""What a campaign will take before it starts, and what may go from a store afterwards."""
