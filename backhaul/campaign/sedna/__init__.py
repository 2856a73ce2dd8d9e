"""Jobs of KubeEdge Sedna, and benchmarks of KubeEdge Ianvs, as campaigns."""
