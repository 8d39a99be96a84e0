"""The demo app: its page, its networks, and what it shows."""
