// Whether a number is neither infinite nor NaN. Compilers may assume that comparisons meet no NaN,
// so the exponent's bits are looked at.

const EXPONENT_BITS: u32 = 0x7f800000u;

fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & EXPONENT_BITS) != EXPONENT_BITS;
}
