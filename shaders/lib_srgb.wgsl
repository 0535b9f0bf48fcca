// The transfer function of sRGB: pictures hold encoded values, textures of -srgb formats load and store linear ones.

fn encode_srgb(linear: vec3f) -> vec3f {
  let power = 1.055 * pow(max(linear, vec3f(0.0031308)), vec3f(1.0 / 2.4)) - 0.055;
  return select(power, 12.92 * linear, linear <= vec3f(0.0031308));
}

fn decode_srgb(encoded: vec3f) -> vec3f {
  let power = pow((max(encoded, vec3f(0.04045)) + 0.055) / 1.055, vec3f(2.4));
  return select(power, encoded / 12.92, encoded <= vec3f(0.04045));
}
