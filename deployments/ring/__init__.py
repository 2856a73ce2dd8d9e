"""The whole way round on this machine: nodes, labels, a better model, and back to the nodes."""
