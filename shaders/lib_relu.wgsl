// ReLU in which a NaN stays, and its gradient. By bits, since WGSL lets max(NaN, 0) be 0: as signed numbers, the bits of -0 to
// -infinity are those up to NEGATIVE, and the bits of a NaN are above. VECTOR: four elements at once.
//#if VECTOR
alias Real = vec4f;
alias Bits = vec4i;
//#else
alias Real = f32;
alias Bits = i32;
//#endif
const NEGATIVE = Bits(-0x800000);

fn relu(x: Real) -> Real {
  return select(x, Real(), bitcast<Bits>(x) <= NEGATIVE);
}

// dy where y > 0 or y is NaN, else 0, as PyTorch's threshold_backward; y is ReLU's result or its input.
fn relu_gradient(dy: Real, y: Real) -> Real {
  let bits = bitcast<Bits>(y);
  return select(dy, Real(), (bits <= NEGATIVE) | (bits == Bits()));
}
