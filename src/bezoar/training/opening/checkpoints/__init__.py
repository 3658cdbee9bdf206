"""Checkpoints of strangers: understood before anything is loaded, loaded in a process of their own.

`formats.py` names a file by its first bytes, `archive.py` takes the zip apart, `machine.py` reads the pickle in it
without running it (`instructions.py`: what it is made of; `allowed.py`: what it may name; `plans.py`: what that
means), `choosing.py` finds the weights in what that gives. `conversion.py` then starts `converter.py`, the only place
where torch loads the file.
"""
