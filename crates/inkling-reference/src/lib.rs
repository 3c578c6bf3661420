//! The CPU twin of every shader in plain Rust, generic over f32 and f64: the oracle of the tests.
