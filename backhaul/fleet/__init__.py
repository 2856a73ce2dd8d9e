"""The nodes of an operator, as home sees them."""
