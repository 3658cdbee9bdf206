"""ONNX models: what may be asked, and nothing behind it.

`wire.py` reads the file's messages, `inventory.py` what they hold and which other files they name, `session.py` opens
a session and wraps it as a module.
"""
