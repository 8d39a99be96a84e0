"""Measurements for the Benchmark tab."""
