// The lookup tables of one instruction for every picture: tables[picture, channel, v] is what a byte v of the channel becomes; v itself
// for instructions that are no lookup.
//
// words u32 [pictures, stride] (lib_picture); programs i32 [pictures, slots, 8]: kind and up to 7 parameters, of which `slot` is read;
// tables u32 [pictures, 3, 256]. A workgroup of 256 threads has a picture to itself: thread t counts words t, t + 256, ..., then makes
// entry t of each channel. Counts are integers, so the order of the atomics does not matter.
struct Params { pictures: u32, size: u32, stride: u32, slots: u32, slot: u32 }

@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read> programs: array<i32>;
@group(0) @binding(2) var<storage, read_write> tables: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;
//#include picture

var<workgroup> counts: array<atomic<u32>, 768>;
var<workgroup> lowest: array<atomic<u32>, 3>;
var<workgroup> highest: array<atomic<u32>, 3>;
var<workgroup> grey_sum: atomic<u32>;

fn count_bytes(picture: u32, local: u32) {
  let area = params.size * params.size;
  for (var word = local; word < params.stride; word += 256u) {
    let packed = words[picture * params.stride + word];
    for (var lane = 0u; lane < 4u; lane++) {
      let channel = (word * 4u + lane) / area;
      if (channel < 3u) {
        atomicAdd(&counts[channel * 256u + ((packed >> (lane * 8u)) & 255u)], 1u);
      }
    }
  }
}

fn sum_greys(picture: u32, local: u32) {
  let area = params.size * params.size;
  var sum = 0u;
  for (var pixel = local; pixel < area; pixel += 256u) {
    sum += grey_of(byte_at(picture, pixel), byte_at(picture, area + pixel), byte_at(picture, 2u * area + pixel));
  }
  atomicAdd(&grey_sum, sum);
}

// Largest e with 2^e <= a / b, for b <= a < 2^16.
fn log2_of_ratio(a: u32, b: u32) -> u32 {
  let exponent = firstLeadingBit(a) - firstLeadingBit(b);
  return exponent - u32(a < (b << exponent));
}

// What an f64 adds to level * S when it rounds the product to 53 bits. S has 53 bits, of which `low_bits` are the lowest 32; it is
// 255 2^e / range, rounded, and top = floor(log2(255 / range)).
fn f64_error(level: u32, low_bits: u32, range: u32, top: u32) -> i32 {
  if (level == 0u) {
    return 0;
  }
  let exponent = log2_of_ratio(level * 255u, range);
  if (exponent <= top) {
    return 0;
  }
  let drop = exponent - top;
  let half = 1u << (drop - 1u);
  let product = level * low_bits;
  let rest = product & (2u * half - 1u);
  let odd = ((product >> drop) & 1u) == 1u;
  return select(0, i32(2u * half), rest > half || (rest == half && odd)) - i32(rest);
}

// int(v * scale - low * scale) with scale = 255 / range in f64, as ImageOps.autocontrast computes it. It differs from the exact quotient
// only where that is an integer, which f64 may just miss: there the errors are added up exactly, in units of the last bit of scale.
fn stretched(v: u32, low: u32, range: u32) -> u32 {
  let above = v - low;
  let quotient = above * 255u / range;
  if (above == 0u || quotient * range != above * 255u) {
    return quotient;
  }
  let top = log2_of_ratio(255u, range);
  let fraction_bits = 52u - top;
  // scale 2^fraction_bits by long division, its lowest 32 bits.
  var scale = 255u / range;
  var rest = 255u % range;
  for (var bit = 0u; bit < fraction_bits; bit++) {
    rest *= 2u;
    let digit = u32(rest >= range);
    scale = scale * 2u + digit;
    rest -= digit * range;
  }
  var remainder = -i32(rest);
  if (2u * rest > range) {
    scale++;
    remainder += i32(range);
  }
  let error = i32(above) * remainder / i32(range) + f64_error(v, scale, range, top) -
    f64_error(low, scale, range, top);
  if (error >= 0) {
    return quotient;
  }
  // The difference is rounded to 53 bits too, which may bring it back up. Its last bit is half as large below a power of two.
  let exponent = firstLeadingBit(quotient) - u32(countOneBits(quotient) == 1u);
  let bits = fraction_bits + exponent + 1u;
  let back = bits > 53u && u32(-error) <= (1u << (max(bits, 54u) - 54u));
  return select(quotient - 1u, quotient, back);
}

// ImageOps.equalize.
fn equalized(channel: u32, v: u32) -> u32 {
  let area = params.size * params.size;
  let step = (area - atomicLoad(&counts[channel * 256u + atomicLoad(&highest[channel])])) / 255u;
  if (step == 0u) {
    return v;
  }
  var below = step / 2u;
  for (var i = 0u; i < v; i++) {
    below += atomicLoad(&counts[channel * 256u + i]);
  }
  return min(below / step, 255u);
}

fn entry(at: u32, channel: u32, v: u32) -> u32 {
  let p = programs[at + 1u];
  let q = u32(programs[at + 2u]);
  switch (programs[at]) {
    case SOLARIZE_: {
      return select(255u - v, v, i32(v) < p);
    }
    case POSTERIZE_: {
      return v & u32(p);
    }
    case INVERT_: {
      return 255u - v;
    }
    case BRIGHTNESS_: {
      return blend(0u, v, u32(p), q);
    }
    case CONTRAST_: {
      let area = params.size * params.size;
      return blend((2u * atomicLoad(&grey_sum) + area) / (2u * area), v, u32(p), q);
    }
    case AUTO_CONTRAST_: {
      let low = atomicLoad(&lowest[channel]);
      let high = atomicLoad(&highest[channel]);
      if (v < low || v > high || low == high) {
        return v;
      }
      return stretched(v, low, high - low);
    }
    case EQUALIZE_: {
      return equalized(channel, v);
    }
    default: {
      return v;
    }
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let picture = workgroup.x + workgroup.y * workgroups.x;
  if (picture >= params.pictures) {
    return;
  }
  let at = (picture * params.slots + params.slot) * INSTRUCTION_WORDS_;
  let kind = programs[at];
  for (var channel = 0u; channel < 3u; channel++) {
    atomicStore(&counts[channel * 256u + local], 0u);
  }
  if (local < 3u) {
    atomicStore(&lowest[local], 255u);
    atomicStore(&highest[local], 0u);
  }
  if (local == 0u) {
    atomicStore(&grey_sum, 0u);
  }
  workgroupBarrier();
  if (kind == AUTO_CONTRAST_ || kind == EQUALIZE_) {
    count_bytes(picture, local);
  }
  if (kind == CONTRAST_) {
    sum_greys(picture, local);
  }
  workgroupBarrier();
  for (var channel = 0u; channel < 3u; channel++) {
    if (atomicLoad(&counts[channel * 256u + local]) > 0u) {
      atomicMin(&lowest[channel], local);
      atomicMax(&highest[channel], local);
    }
  }
  workgroupBarrier();
  for (var channel = 0u; channel < 3u; channel++) {
    tables[(picture * 3u + channel) * 256u + local] = entry(at, channel, local);
  }
}
