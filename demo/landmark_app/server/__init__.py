"""The app's server: who may ask, for what, how much is kept, how it starts and ends."""
