"""The parts ``train.py`` is put together from."""
