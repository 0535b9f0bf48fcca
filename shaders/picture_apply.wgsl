// Pictures after one instruction each. Without FRAMES the result is again packed bytes; with FRAMES it is the last instruction (PROGRAM;
// none at all without) fused with normalization and with the mixing of rows:
//
//   frame[b, f] = normal(picture[b, f])                                                        without MIX, or where ratio[b] = 1
//   frame[b, f] = ratio[b] normal(picture[b, f]) + (1 - ratio[b]) normal(picture[partner[b], f])    with MIX
//
// words u32 [pictures, stride] (lib_picture); programs i32 [pictures, slots, 8], of which `slot` is read; tables u32 [pictures, 3, 256]
// (picture_tables); normal f32 [3, 256]: the normalized value of each byte; partner i32 [rows], ratio f32 [rows]; y: u32 words, or f32
// [rows, frames, 3, size, size] (as vec4f with VECTOR, where a picture's bytes fill its words). A partner that is no row gives NaN.
// Element i of params.count is a word of a picture that is written: four bytes.
//#include elements
struct Params {
  count: u32,
  size: u32,
  stride: u32,
  slots: u32,
  slot: u32,
  frames: u32, // of a row
  rows: u32, // that can be partners
}

@group(0) @binding(0) var<storage, read> words: array<u32>;
//#if PROGRAM
@group(0) @binding(PROGRAMS_BINDING_) var<storage, read> programs: array<i32>;
@group(0) @binding(TABLES_BINDING_) var<storage, read> tables: array<u32>;
//#endif
//#if FRAMES
@group(0) @binding(NORMAL_BINDING_) var<storage, read> normal: array<f32>;
//#endif
//#if MIX
@group(0) @binding(PARTNER_BINDING_) var<storage, read> partner: array<i32>;
@group(0) @binding(RATIO_BINDING_) var<storage, read> ratio: array<f32>;
//#endif
@group(0) @binding(Y_BINDING_) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;
//#include picture
//#include nan

//#if PROGRAM
// PIL's affine transform with the nearest pixel, in 16.16; grey outside.
fn moved(picture: u32, at: u32, plane: u32, x: i32, y: i32) -> u32 {
  let from_x = (programs[at + 3u] + y * programs[at + 2u] + x * programs[at + 1u]) >> 16u;
  let from_y = (programs[at + 6u] + y * programs[at + 5u] + x * programs[at + 4u]) >> 16u;
  let size = i32(params.size);
  if (from_x < 0 || from_y < 0 || from_x >= size || from_y >= size) {
    return FILL_;
  }
  return byte_at(picture, plane + u32(from_y * size + from_x));
}

// ImageFilter.SMOOTH: the 3x3 mean with the middle counted five times, rounded; the border keeps its bytes.
fn smoothed(picture: u32, index: u32, x: u32, y: u32, middle: u32) -> u32 {
  let last = params.size - 1u;
  if (x == 0u || y == 0u || x >= last || y >= last) {
    return middle;
  }
  var sum = 4u * middle;
  for (var row = index - params.size; row <= index + params.size; row += params.size) {
    sum += byte_at(picture, row - 1u) + byte_at(picture, row) + byte_at(picture, row + 1u);
  }
  return (2u * sum + 13u) / 26u;
}

fn perturbed_byte(picture: u32, at: u32, index: u32) -> u32 {
  let size = params.size;
  let area = size * size;
  let channel = index / area;
  if (channel >= 3u) {
    return 0u;
  }
  let pixel = index - channel * area;
  let row = pixel / size;
  let column = pixel - row * size;
  let kind = programs[at];
  let byte = byte_at(picture, index);
  let p = programs[at + 1u];
  let q = programs[at + 2u];
  switch (kind) {
    case AFFINE_: {
      return moved(picture, at, channel * area, i32(column), i32(row));
    }
    case CUTOUT_: {
      let inside = i32(column) >= p && i32(row) >= q && i32(column) < programs[at + 3u] && i32(row) < programs[at + 4u];
      return select(byte, FILL_, inside);
    }
    case COLOR_: {
      let grey = grey_of(byte_at(picture, pixel), byte_at(picture, area + pixel), byte_at(picture, 2u * area + pixel));
      return blend(grey, byte, u32(p), u32(q));
    }
    case SHARPNESS_: {
      return blend(smoothed(picture, index, column, row, byte), byte, u32(p), u32(q));
    }
    default: {
      return tables[(picture * 3u + channel) * 256u + byte];
    }
  }
}
//#endif

fn perturbed_word(picture: u32, word: u32) -> u32 {
//#if PROGRAM
  let at = (picture * params.slots + params.slot) * INSTRUCTION_WORDS_;
  if (programs[at] != IDENTITY_) {
    var packed = 0u;
    for (var lane = 0u; lane < 4u; lane++) {
      packed |= perturbed_byte(picture, at, word * 4u + lane) << (lane * 8u);
    }
    return packed;
  }
//#endif
  return words[picture * params.stride + word];
}

//#if FRAMES
fn normalized(packed: u32, word: u32) -> vec4f {
  let area = params.size * params.size;
  let bytes = (vec4u(packed) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
  // Bytes behind the picture are not written; they only need a valid address.
  let channel = min((vec4u(word * 4u) + vec4u(0u, 1u, 2u, 3u)) / vec4u(area), vec4u(2u));
  let place = channel * 256u + bytes;
  return vec4f(normal[place.x], normal[place.y], normal[place.z], normal[place.w]);
}

fn run(i: u32) {
  let picture = i / params.stride;
  let word = i - picture * params.stride;
  var frame = normalized(perturbed_word(picture, word), word);
//#if MIX
  let row = picture / params.frames;
  let own = ratio[row];
  if (own != 1.0) {
    // A negative index becomes a large one.
    let other = u32(partner[row]);
    if (other < params.rows) {
      let source = other * params.frames + picture - row * params.frames;
      frame = own * frame + (1.0 - own) * normalized(perturbed_word(source, word), word);
    } else {
      frame = vec4f(not_a_number());
    }
  }
//#endif
//#if VECTOR
  y[i] = frame;
//#else
  let bytes = 3u * params.size * params.size;
  for (var lane = 0u; lane < min(4u, bytes - word * 4u); lane++) {
    y[picture * bytes + word * 4u + lane] = frame[lane];
  }
//#endif
}
//#else
fn run(i: u32) {
  let picture = i / params.stride;
  y[i] = perturbed_word(picture, i - picture * params.stride);
}
//#endif
