"""How fast Thresher is, measured beside others. docs/benchmarks.md says how to run it and how to read it."""
