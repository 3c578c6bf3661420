//! Spawning, yielding and clocks: the one home of target differences.
