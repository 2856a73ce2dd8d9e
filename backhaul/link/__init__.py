"""The link between a node and home: what it may carry, and what arrives when."""
