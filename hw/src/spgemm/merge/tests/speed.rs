//! Throughput, asserted with a margin. Run with `--nocapture` to see the figures.
