// y_e = scale x_e where the draw of (seed, step, op, e) keeps it, else 0. An element is kept where its 24 random bits
// are not below `threshold` = p 2^24. Backward is the same kernel on dy: the mask is drawn again, never stored. With PAST, for a
// backward that comes in a later run, params.seed and params.step are those of the forward's run.
//
// x and y are dense [length]; with VECTOR array<vec4f>, else array<f32>. A thread makes four elements.
//#include threads
//#include random
//#include nan
struct Params { threads: u32, length: u32, op: u32, threshold: u32, scale: f32, seed: u32, step: u32 }

//#if VECTOR
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
//#endif
@group(0) @binding(2) var<uniform> params: Params;
//#if PAST
//#else
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
//#endif

fn run(block: u32) {
  let kept = (random_bits(params.op, block) >> vec4u(8u)) >= vec4u(params.threshold);
//#if VECTOR
  y[block] = select(zero_times4(x[block]), x[block] * params.scale, kept);
//#else
  for (var lane = 0u; lane < min(4u, params.length - block * 4u); lane++) {
    let value = x[block * 4u + lane];
    y[block * 4u + lane] = select(zero_times(value), value * params.scale, kept[lane]);
  }
//#endif
}
