// One step of Adam (Kingma and Ba 2015) as PyTorch has it, on elements [offset, offset + count) of flat vectors:
//
//   g = scale dp + weight_decay p             scale from grad_scale with SCALED, else 1
//   m = beta1 m + (1 - beta1) g               v = beta2 v + (1 - beta2) g^2
//   p = (1 - decay) p - step_size m / (sqrt(v) / denominator + eps)
//
// step_size = lr / (1 - beta1^t), denominator = sqrt(1 - beta2^t) and, with DECOUPLED (AdamW), decay = lr weight decay
// are read from the run's scalars. With GATED the first scalar is lr, 1 - beta1^t and the denominator are gate[1] and
// gate[2], and nothing is written where gate[0] is 0 (optimizer_gate.wgsl). parameters, gradients, m and v are arrays of TYPE_, f32 or vec4f, in which offset
// and count are given; one TYPE_ a thread.
//#include threads
struct Params {
  offset: u32, threads: u32,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32,
  eps: f32, weight_decay: f32,
  step_size: u32, denominator: u32, decay: u32,
}

@group(0) @binding(0) var<storage, read_write> parameters: array<TYPE_>;
@group(0) @binding(1) var<storage, read> gradients: array<TYPE_>;
@group(0) @binding(2) var<storage, read_write> first_moments: array<TYPE_>;
@group(0) @binding(3) var<storage, read_write> second_moments: array<TYPE_>;
//#if SCALED
@group(0) @binding(SCALE_BINDING_) var<storage, read> grad_scale: array<f32>;
//#endif
//#if GATED
@group(0) @binding(GATE_BINDING_) var<storage, read> gate: array<f32>;
//#endif
//#if PACKED
@group(0) @binding(PACKED_BINDING_) var<storage, read_write> packed: array<TYPE_>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;
@group(0) @binding(SCALARS_BINDING_) var<storage, read> scalars: array<f32>;

fn run(thread: u32) {
//#if GATED
  if (gate[0] == 0.0) {
    return;
  }
  let step_size = scalars[params.step_size] / gate[1];
  let denominator = gate[2];
//#else
  let step_size = scalars[params.step_size];
  let denominator = scalars[params.denominator];
//#endif
  let i = params.offset + thread;
  let p = parameters[i];
  var g = gradients[i];
//#if SCALED
  g *= grad_scale[0];
//#endif
  g += params.weight_decay * p;
  let m = params.beta1 * first_moments[i] + params.rest1 * g;
  let v = params.beta2 * second_moments[i] + params.rest2 * g * g;
  first_moments[i] = m;
  second_moments[i] = v;
  let update = step_size * m / (sqrt(v) / denominator + params.eps);
//#if DECOUPLED
  let next = p - scalars[params.decay] * p - update;
//#else
  let next = p - update;
//#endif
  parameters[i] = next;
//#if PACKED
  packed[i] = next;
//#endif
}
