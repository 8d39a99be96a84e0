"""The Benchmark tab's measurements."""
