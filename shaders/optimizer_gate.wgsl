// Opens or closes the gate of an optimizer's step: it stays closed after an overflow, and the step then writes nothing.
//
//   gate[0] = 1 if state[OVERFLOW] is 0, else 0; state[STEPPED] = 1
//
// With COUNTED (Adam) it also counts the steps t of the parameters [first, first + count), which have the same t, and gives
// the bias corrections
//
//   t_i = t_i + gate[0],  gate[1] = 1 - beta1^t,  gate[2] = sqrt(1 - beta2^t)
//
// with beta^t = exp(-t rate) and rate = -log(beta), taken in f64 on the host. state is u32 [6] (lib_loss_scale.wgsl), gate
// f32 [3], steps u32 [parameters]; one workgroup.
//#include loss_scale
struct Params { first: u32, count: u32, rate1: f32, rate2: f32 }

@group(0) @binding(0) var<storage, read_write> state: array<u32>;
@group(0) @binding(1) var<storage, read_write> gate: array<f32>;
//#if COUNTED
@group(0) @binding(2) var<storage, read_write> steps: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

// 1 - exp(-y) for y >= 0. Below 1 it is the series y - y^2 / 2! + y^3 / 3! - ..., where a difference would cancel.
fn one_minus_exp(y: f32) -> f32 {
  if (y >= 1.0) {
    return 1.0 - exp(-y);
  }
  var sum = 1.0;
  for (var n = 11.0; n > 1.0; n -= 1.0) {
    sum = 1.0 - sum * y / n;
  }
  return y * sum;
}
//#endif

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  let open = select(1u, 0u, state[OVERFLOW] != 0u);
//#if COUNTED
  for (var i = local; i < params.count; i += 64u) {
    let t = steps[params.first + i] + open;
    steps[params.first + i] = t;
    if (i == 0u) {
      gate[1] = one_minus_exp(f32(t) * params.rate1);
      gate[2] = sqrt(one_minus_exp(f32(t) * params.rate2));
    }
  }
//#endif
  if (local == 0u) {
    gate[0] = f32(open);
    state[STEPPED] = 1u;
  }
}
