"""The faces of Avatar Studio: the only package that knows Qt."""
