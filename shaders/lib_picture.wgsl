// Bytes of pictures, and PIL's arithmetic in integers. Whoever includes this binds words: u32 [pictures, params.stride], RGB bytes of
// planes [3, size, size], four bytes a word, the lowest first; a picture starts a word of its own.

fn byte_at(picture: u32, index: u32) -> u32 {
  return (words[picture * params.stride + index / 4u] >> (index % 4u * 8u)) & 255u;
}

// PIL's conversion to L: ITU-R 601-2 luma in 16.16.
fn grey_of(red: u32, green: u32, blue: u32) -> u32 {
  return (red * 19595u + green * 38470u + blue * 7471u + 0x8000u) >> 16u;
}

// Nearest number of 24 bits, ties to even: what f32 makes of an integer.
fn round_to_f32(value: u32) -> u32 {
  if (value < 0x1000000u) {
    return value;
  }
  let drop = firstLeadingBit(value) - 23u;
  let half = 1u << (drop - 1u);
  let rest = value & (2u * half - 1u);
  let kept = value >> drop;
  let up = rest > half || (rest == half && (kept & 1u) == 1u);
  return (kept + u32(up)) << drop;
}

// PIL's ImagingBlend: a + factor (b - a) in f32, clipped to 0..255 and truncated, where factor = mantissa / 2^shift, 2^23 <= mantissa
// < 2^24, 22 <= shift <= 31. The product rounds, then the sum. In integers, since a compiler may fuse an f32 product with its sum.
fn blend(a: u32, b: u32, mantissa: u32, shift: u32) -> u32 {
  let unit = 1u << shift;
  let product = round_to_f32(mantissa * select(a - b, b - a, b >= a));
  let whole = product >> shift;
  let part = product & (unit - 1u);
  var floored = a + whole;
  // From the exact sum to the next integer, in 1 / unit.
  var missing = unit - part;
  if (b < a) {
    let down = whole + u32(part > 0u);
    if (down > a) {
      return 0u;
    }
    floored = a - down;
    missing = select(part, unit, part == 0u);
  }
  // f32 rounds the sum up to the next integer from half an ulp below it.
  let exponent = select(i32(firstLeadingBit(floored)), -1, floored == 0u);
  let half_ulp = i32(shift) - 24 + exponent;
  if (half_ulp >= 0 && missing <= (1u << u32(half_ulp))) {
    floored++;
  }
  return min(floored, 255u);
}
