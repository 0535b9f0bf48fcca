// A tensor as a picture: x [channels, height, width] f32 with 1 channel (grey), 3 (RGB) or 4 (RGBA, not premultiplied) is drawn over the
// whole target as x std + mean, between 0 and 1; NaN becomes 0. With BYTES the target has 8 bits a channel, to which values are
// rounded here, since devices may round otherwise. With SRGB the target encodes what it is given, so that values are decoded before.
struct Params {
  width: u32,
  height: u32,
  channels: u32,
  premultiply: u32, // 1 where the target wants colors times alpha
  mean: vec4f,
  deviation: vec4f,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
//#include nan
//#if SRGB
//#include srgb
//#endif

// One triangle that covers the target.
@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
  return vec4f(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

fn value_at(channel: u32, pixel: u32) -> f32 {
  let value = x[channel * params.width * params.height + pixel] * params.deviation[channel] + params.mean[channel];
  return select(clamp(value, 0.0, 1.0), 0.0, is_nan(value));
}

fn color_at(pixel: u32) -> vec4f {
  switch (params.channels) {
    case 1u: {
      return vec4f(vec3f(value_at(0u, pixel)), 1.0);
    }
    case 3u: {
      return vec4f(value_at(0u, pixel), value_at(1u, pixel), value_at(2u, pixel), 1.0);
    }
    default: {
      let alpha = value_at(3u, pixel);
      let color = vec3f(value_at(0u, pixel), value_at(1u, pixel), value_at(2u, pixel));
      return vec4f(color * select(1.0, alpha, params.premultiply == 1u), alpha);
    }
  }
}

@fragment
fn paint(@builtin(position) at: vec4f) -> @location(0) vec4f {
  var color = color_at(u32(at.y) * params.width + u32(at.x));
//#if BYTES
  color = floor(color * 255.0 + 0.5) / 255.0;
//#endif
//#if SRGB
  color = vec4f(decode_srgb(color.rgb), color.a);
//#endif
  return color;
}
