//! Resolves WGSL imports, validates and reflects every shader at build time, and hands out typed sources.
