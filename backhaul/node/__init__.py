"""The agent of an edge node: it looks at frames, chooses, and sends."""
