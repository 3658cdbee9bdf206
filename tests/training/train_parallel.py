"""Run by torchrun in test_loop.py: two processes train together on the processor."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from test_loop import accuracy, fit, toy

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, out = dist.get_rank(), Path(sys.argv[1])
trained = fit(toy(), checkpoint=out / f"rank{rank}-checkpoint")
state = {name: value.clone() for name, value in trained.model.state_dict().items()}
torch.save(state | {"accuracy": accuracy(trained, toy(90, seed=5))}, out / f"rank{rank}.pt")
dist.destroy_process_group()
