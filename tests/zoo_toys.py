"""Data and a network of a zoo, so small that a model is trained in seconds."""

TINY_MODELS = """
[[data]]
name = "signs"
source = "signs"
samples = 400
clean = 60
recipe = { epochs = 1, batch_size = 64 }

[[network]]
name = "fast"
train = { model = "fast:stem=8,widths=12/16,finest=16" }

"""
