"""Cost of a campaign before it starts, and removal of unused data from a store."""
