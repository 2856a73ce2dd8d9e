"""How much the frames of one's own cameras repeat, and whether choosing among them can win."""
