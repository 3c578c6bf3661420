// Prepended to every shader.

// Stands for "no value" where an index is optional.
const NONE: u32 = 0xffffffffu;
