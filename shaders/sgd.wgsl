// One step of stochastic gradient descent as PyTorch has it (dampening 0), on elements [offset, offset + count) of
// flat vectors:
//
//   g = scale dp + weight_decay p             scale from grad_scale with SCALED, else 1
//   b = momentum b + g                        with MOMENTUM; b starts as 0
//   p = p - lr (g + momentum b)               with NESTEROV; without it p - lr b, without MOMENTUM p - lr g
//
// lr is read from the run's scalars. With GATED nothing is written where gate[0] is 0 (optimizer_gate.wgsl). parameters, gradients and b are arrays of TYPE_, f32 or vec4f, in which offset and
// count are given; one TYPE_ a thread.
//#include threads
struct Params { offset: u32, threads: u32, momentum: f32, weight_decay: f32, lr: u32 }

@group(0) @binding(0) var<storage, read_write> parameters: array<TYPE_>;
@group(0) @binding(1) var<storage, read> gradients: array<TYPE_>;
//#if MOMENTUM
@group(0) @binding(2) var<storage, read_write> momentum_buffer: array<TYPE_>;
//#endif
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
//#endif
  let i = params.offset + thread;
  let p = parameters[i];
  var g = gradients[i];
//#if SCALED
  g *= grad_scale[0];
//#endif
  g += params.weight_decay * p;
//#if MOMENTUM
  let b = params.momentum * momentum_buffer[i] + g;
  momentum_buffer[i] = b;
//#if NESTEROV
  g += params.momentum * b;
//#else
  g = b;
//#endif
//#endif
  let next = p - scalars[params.lr] * g;
  parameters[i] = next;
//#if PACKED
  packed[i] = next;
//#endif
}
