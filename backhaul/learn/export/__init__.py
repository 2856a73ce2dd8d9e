"""A model for nodes: checkpoints as one file of ONNX, and what it loses by that."""
