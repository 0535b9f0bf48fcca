// One step of Adam (Kingma and Ba 2015) as PyTorch has it, on elements [offset, offset + count) of flat vectors:
//
//   g = scale dp + weight_decay p             scale from grad_scale with SCALED, else 1
//   m = beta1 m + (1 - beta1) g               v = beta2 v + (1 - beta2) g^2
//   p = (1 - decay) p - step_size m / (sqrt(v) / denominator + eps)
//
// step_size = lr / (1 - beta1^t), denominator = sqrt(1 - beta2^t) and, with DECOUPLED (AdamW), decay = lr weight decay
// are read from the run's scalars. parameters, gradients, m and v are arrays of TYPE_, f32 or vec4f, in which offset
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
@group(0) @binding(4) var<storage, read> grad_scale: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read> scalars: array<f32>;
//#else
@group(0) @binding(4) var<uniform> params: Params;
@group(0) @binding(5) var<storage, read> scalars: array<f32>;
//#endif

fn run(thread: u32) {
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
  let update = scalars[params.step_size] * m / (sqrt(v) / scalars[params.denominator] + params.eps);
//#if DECOUPLED
  parameters[i] = p - scalars[params.decay] * p - update;
//#else
  parameters[i] = p - update;
//#endif
}
