"""The verbs of Avatar Studio: each one turns a studio noun into the next noun."""
