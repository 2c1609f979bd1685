"""Networks that several engines share. They know nothing of engines, and import torch when imported."""
