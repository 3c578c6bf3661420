//! Configuration, the run loop, evaluation, checkpoints and run folders.
