"""Export3D: one picture, one tri-plane, expression by adaptive normalisation (Ki et al. 2024)."""
