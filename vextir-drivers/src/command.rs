//! Commands as tasks: run within limits, with their output as events.
