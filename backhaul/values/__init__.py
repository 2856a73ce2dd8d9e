"""Values that pass between stages. Frozen, validated where they are built, never mutated."""
