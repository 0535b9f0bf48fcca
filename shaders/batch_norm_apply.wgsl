// y = (x - mean) * invstd * weight + bias, per channel; without weight or bias these are 1 and 0.
//
// x, y [batch, channels, length] in ELEMENT_; stats [2, channels]: mean, invstd; weight, bias [channels] (an absent one
// is bound to any buffer and not read). A thread writes `run` neighbours of one plane.
//#include threads
struct Params { threads: u32, runs: u32, run: u32, channels: u32, length: u32 }

@group(0) @binding(0) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<ELEMENT_>;
@group(0) @binding(5) var<uniform> params: Params;

fn run(thread: u32) {
  let plane = thread / params.runs;
  let first = (thread - plane * params.runs) * params.run;
  let end = plane * params.length + min(first + params.run, params.length);
  let channel = plane % params.channels;
  let mean = ELEMENT_(stats[channel]);
  var scale = stats[params.channels + channel];
//#if WEIGHT
  scale *= weight[channel];
//#endif
  var shift = 0.0;
//#if BIAS
  shift = bias[channel];
//#endif
  for (var at = plane * params.length + first; at < end; at++) {
    y[at] = (x[at] - mean) * scale + ELEMENT_(shift);
  }
}
