// y_e = a draw from (seed, step, op, e): SAMPLE_ is uniform_of or normal_of of lib_random.
//
// y is dense [length]; with VECTOR array<vec4f>, else array<f32>. A thread makes four elements.
//#include threads
//#include random
struct Params { threads: u32, length: u32, op: u32 }

//#if VECTOR
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
//#endif
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> scalars: array<f32>;

fn run(block: u32) {
  let value = SAMPLE_(random_bits(params.op, block));
//#if VECTOR
  y[block] = value;
//#else
  for (var lane = 0u; lane < min(4u, params.length - block * 4u); lane++) {
    y[block * 4u + lane] = value[lane];
  }
//#endif
}
