"""The app: its page, the networks behind it, and what it shows."""
