//! The window of Inkling.

fn main() {}
