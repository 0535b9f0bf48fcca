// Writes out a feature map that is otherwise made in a load:
//   y = x;  ACTIVATION: y = scale x + shift, with RELU max(0, that);  GRADIENT: y = p x + q input + s
// and with DROPOUT, where y is dense, what that leaves of it.
//
// x, input, y [batch, channels, length] in ELEMENT_, perhaps channels of wider maps: *_image from one image to the next,
// from *_first on; table [rows][table_channels]: scale, shift or p, q, s, from column table_first on. A thread writes `run`
// neighbours of one plane.
//#include threads
//#include relu
struct Params {
  threads: u32, runs: u32, run: u32, channels: u32, length: u32,
  x_image: u32, x_first: u32, y_image: u32, y_first: u32,
//#if TABLE
  table_channels: u32, table_first: u32,
//#endif
//#if GRADIENT
  input_image: u32, input_first: u32,
//#endif
//#if DROPOUT
  op: u32, threshold: u32, keep_scale: f32, seed: u32, step: u32,
//#endif
}

@group(0) @binding(0) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> y: array<ELEMENT_>;
//#if TABLE
@group(0) @binding(TABLE_BINDING_) var<storage, read> table: array<f32>;
//#endif
//#if GRADIENT
@group(0) @binding(INPUT_BINDING_) var<storage, read> input: array<ELEMENT_>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;
//#if DROPOUT
//#if PAST
//#else
@group(0) @binding(SCALARS_BINDING_) var<storage, read> scalars: array<f32>;
//#endif
//#include dropout
//#endif

fn run(thread: u32) {
  let plane = thread / params.runs;
  let first = (thread - plane * params.runs) * params.run;
  let count = min(params.run, params.length - first);
  let image = plane / params.channels;
  let channel = plane - image * params.channels;
  let x_base = image * params.x_image + params.x_first + channel * params.length + first;
  let y_base = image * params.y_image + params.y_first + channel * params.length + first;
//#if TABLE
  let at = params.table_first + channel;
  let row0 = ELEMENT_(table[at]);
  let row1 = ELEMENT_(table[at + params.table_channels]);
//#endif
//#if GRADIENT
  let row2 = ELEMENT_(table[at + 2u * params.table_channels]);
  let input_base = image * params.input_image + params.input_first + channel * params.length + first;
//#endif
  for (var i = 0u; i < count; i++) {
    var value = x[x_base + i];
//#if TABLE
//#if GRADIENT
    value = fma(row0, value, fma(row1, input[input_base + i], row2));
//#else
    value = fma(row0, value, row1);
//#if RELU
    value = relu(value);
//#endif
//#endif
//#endif
//#if DROPOUT
    value = dropped(value, y_base + i);
//#endif
    y[y_base + i] = value;
  }
}
