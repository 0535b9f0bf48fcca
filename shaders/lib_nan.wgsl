// NaN by its bits, since WGSL lets a compiler assume that x != x is false.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_nan4(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// Through a variable, since WGSL refuses constants that are not finite.
fn infinity() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn negative_infinity() -> f32 {
  var bits = 0xff800000u;
  return bitcast<f32>(bits);
}

fn not_a_number() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// Of a NaN, and of a logarithm's negative argument, SwiftShader's exp and log make numbers.
fn exp_or_nan(x: f32) -> f32 {
  return select(exp(x), x, is_nan(x));
}

fn log_or_nan(x: f32) -> f32 {
  return select(log(x), not_a_number(), x < 0.0 || is_nan(x));
}

// 0 x: NaN where x is NaN or infinite. Compilers may take a product with a constant 0 for 0.
fn zero_times(x: f32) -> f32 {
  return bitcast<f32>(select(0u, 0x7fc00000u, (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u));
}

fn zero_times4(x: vec4f) -> vec4f {
  let infinite = vec4u(0x7f800000u);
  return bitcast<vec4f>(select(vec4u(), vec4u(0x7fc00000u), (bitcast<vec4u>(x) & infinite) == infinite));
}
