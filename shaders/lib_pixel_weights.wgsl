// Sums of weighed pixels, and the pixels of a line in memory. With BYTES a pixel takes a word, whose fourth byte is 0, or UNKNOWN.

//#if BYTES
alias Line = u32;
const UNKNOWN = 0xff000000u;
// A half, so that the shift rounds.
const START = 0x200000u;

fn weight_at(at: u32) -> u32 {
  return taps[at];
}

fn pixel_of(sum: Pixel) -> Pixel {
  // Only rounding of the weights can exceed the largest byte.
  return min(sum >> vec3u(22u), vec3u(255u));
}

fn pack(pixel: Pixel) -> Line {
  return pixel.x | (pixel.y << 8u) | (pixel.z << 16u);
}

fn unpack(line: Line) -> Pixel {
  return (vec3u(line) >> vec3u(0u, 8u, 16u)) & vec3u(255u);
}
//#else
alias Line = vec4f;
const START = 0.0;

fn weight_at(at: u32) -> f32 {
  return bitcast<f32>(taps[at]);
}

fn pixel_of(sum: Pixel) -> Pixel {
  return sum;
}

fn pack(pixel: Pixel) -> Line {
  return vec4f(pixel, 0.0);
}

fn unpack(line: Line) -> Pixel {
  return line.xyz;
}
//#endif
