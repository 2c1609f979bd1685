"""What every trained stage shares: a loop that can be killed at any moment and continues where it was.

`loop.train` is the door; `settings.LoopSettings` says how long, how large and how often.
"""
