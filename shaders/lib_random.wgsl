// Random numbers from a counter: a pure function of (seed, step, op, element), the same as in src/tensor/random.ts.
// pcg4d: Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020. One hash serves elements 4 b to
// 4 b + 3.
fn pcg4d(counter: vec4u) -> vec4u {
  var v = counter * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16u);
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return v;
}

//#if PAST
// Seed and step of a run that is over.
fn random_bits(op: u32, block: u32) -> vec4u {
  return pcg4d(vec4u(params.seed, params.step, op, block));
}
//#else
// The run's scalars begin with the bits of seed and step.
fn random_bits(op: u32, block: u32) -> vec4u {
  return pcg4d(vec4u(bitcast<u32>(scalars[0]), bitcast<u32>(scalars[1]), op, block));
}
//#endif

// Multiples of 2^-24 in [0, 1).
fn uniform_of(bits: vec4u) -> vec4f {
  return vec4f(bits >> vec4u(8u)) * 0x1p-24;
}

// Box and Muller: each pair of uniforms gives a pair of normals.
fn normal_of(bits: vec4u) -> vec4f {
  let u = uniform_of(bits);
  let radius = sqrt(-2.0 * log(1.0 - u.xz));
  let angle = 6.283185307179586 * u.yw;
  return vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y));
}
