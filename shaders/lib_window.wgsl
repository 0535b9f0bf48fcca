// Windows of a pooling along one axis: those of adaptive pooling with ADAPTIVE, else kernel, stride, padding, and with DILATED
// dilation. INSIDE: every tap of every window lies in the input. TAPS_*: most taps of a window, READERS_*: most windows that a
// position lies in, so that loops have constant ends. STRIDE_*: constants too, since they divide. Every kernel of the family has these parameters, and gives a thread `run`
// neighbours of a row.
struct Params {
  threads: u32, runs: u32, run: i32, in_height: i32, in_width: i32, out_height: i32, out_width: i32,
  kernel_y: i32, kernel_x: i32, padding_y: i32, padding_x: i32, dilation_y: i32, dilation_x: i32,
//#if VIEWS
  channels: i32, x_image: i32, x_first: i32, y_image: i32, y_first: i32,
//#endif
//#if ACTIVATION
  table_channels: i32, table_first: i32,
//#endif
//#if BLOCKS
  block_rows: i32, block_columns: i32,
//#endif
}

// Positions start, start + dilation, ... below end, all inside the input; an average divides by `divisor`.
struct Window { start: i32, end: i32, divisor: i32 }

fn window(o: i32, size: i32, outputs: i32, kernel: i32, stride: i32, padding: i32, dilation: i32) -> Window {
//#if ADAPTIVE
  let start = o * size / outputs;
  let end = ((o + 1) * size + outputs - 1) / outputs;
  return Window(start, end, end - start);
//#else
  let origin = o * stride - padding;
//#if INSIDE
  return Window(origin, origin + (kernel - 1) * dilation + 1, kernel);
//#else
  // With ceil mode a window may reach beyond the padding; what lies there never counts.
  let limit = min(origin + (kernel - 1) * dilation + 1, size + padding);
  let outside = max(-origin, 0);
//#if DILATED
  let start = origin + (outside + dilation - 1) / dilation * dilation;
//#else
  let start = origin + outside;
//#endif
  let end = min(limit, size);
//#if COUNT_PADDING
  return Window(start, end, limit - origin);
//#else
  return Window(start, end, end - start);
//#endif
//#endif
//#endif
}

// Where tap k lies, and whether the window has it; one that it has not is given a place in the input all the same.
struct Tap { place: i32, inside: bool }

fn tap(window: Window, k: i32, size: i32, dilation: i32) -> Tap {
//#if INSIDE
  return Tap(window.start + k * dilation, true);
//#else
  let place = window.start + k * dilation;
  return Tap(min(place, size - 1), place < window.end);
//#endif
}

fn window_y(o: i32) -> Window {
  return window(
    o, params.in_height, params.out_height, params.kernel_y, STRIDE_Y_, params.padding_y, params.dilation_y,
  );
}

fn window_x(o: i32) -> Window {
  return window(
    o, params.in_width, params.out_width, params.kernel_x, STRIDE_X_, params.padding_x, params.dilation_x,
  );
}

// Outputs x <= o < y whose window reaches over position i.
fn readers(i: i32, size: i32, outputs: i32, kernel: i32, stride: i32, padding: i32, dilation: i32) -> vec2i {
//#if ADAPTIVE
  return vec2i(i * outputs / size, ((i + 1) * outputs + size - 1) / size);
//#else
  let behind = max(i + padding - (kernel - 1) * dilation, 0);
  return vec2i((behind + stride - 1) / stride, min(outputs, (i + padding) / stride + 1));
//#endif
}

// Output k of those, and whether there is one; else some output.
fn reader(range: vec2i, k: i32, outputs: i32) -> Tap {
  let o = range.x + k;
  return Tap(min(o, outputs - 1), o < range.y);
}

fn readers_y(i: i32) -> vec2i {
  return readers(
    i, params.in_height, params.out_height, params.kernel_y, STRIDE_Y_, params.padding_y, params.dilation_y,
  );
}

fn readers_x(i: i32) -> vec2i {
  return readers(
    i, params.in_width, params.out_width, params.kernel_x, STRIDE_X_, params.padding_x, params.dilation_x,
  );
}
//#if BLOCKS

// A block is STRIDE_Y_ x STRIDE_X_ positions in which the same windows begin and end; READERS_Y_ x READERS_X_ windows reach
// over it. Block 0 begins in the padding.
const WINDOWS = READERS_Y_ * READERS_X_;

struct Place { y: i32, x: i32, inside: bool }

// Window k of a block, and whether there is one; else some output.
fn block_reader(block_y: i32, block_x: i32, k: i32) -> Place {
  let y = block_y - (READERS_Y_ - 1) + k / READERS_X_;
  let x = block_x - (READERS_X_ - 1) + k % READERS_X_;
  let inside = y >= 0 && y < params.out_height && x >= 0 && x < params.out_width;
  return Place(clamp(y, 0, params.out_height - 1), clamp(x, 0, params.out_width - 1), inside);
}

// Position i of a block, and whether it lies in the input.
fn block_position(block_y: i32, block_x: i32, i: i32) -> Place {
  let y = block_y * STRIDE_Y_ - params.padding_y + i / STRIDE_X_;
  let x = block_x * STRIDE_X_ - params.padding_x + i % STRIDE_X_;
  return Place(y, x, y >= 0 && y < params.in_height && x >= 0 && x < params.in_width);
}

// Whether window k of a block, without dilation, reaches over the block's position i.
fn reaches(k: i32, i: i32) -> bool {
  let y = i / STRIDE_X_ + (READERS_Y_ - 1 - k / READERS_X_) * STRIDE_Y_;
  let x = i % STRIDE_X_ + (READERS_X_ - 1 - k % READERS_X_) * STRIDE_X_;
  return y < params.kernel_y && x < params.kernel_x;
}
//#endif
