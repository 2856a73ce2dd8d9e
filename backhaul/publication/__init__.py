"""What home publishes for nodes: models and policies, signed (The Update Framework, TUF)."""
