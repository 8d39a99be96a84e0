"""Synthetic faces: drawn heads with exact landmarks, for tests and dry runs."""
