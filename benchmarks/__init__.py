"""Speed against peers, as ratios."""
