"""What a node does with models and policies that home publishes."""
