"""Errors of a network on annotated faces: what ``pfld evaluate`` measures."""
