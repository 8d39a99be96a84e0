"""Parts of ``train.py``: data, objective, optimizer, schedules, checkpoints and results."""
