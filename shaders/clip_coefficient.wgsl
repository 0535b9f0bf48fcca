// norm = sqrt(total), coefficient = min(1, max_norm / (norm + 1e-6)): what torch.nn.utils.clip_grad_norm_ multiplies
// gradients by.
//
// A norm that is NaN makes every gradient NaN.
// total, norm and coefficient are f32 [1]; one thread.
//#include nan
struct Params { max_norm: f32 }

@group(0) @binding(0) var<storage, read> total: array<f32>;
@group(0) @binding(1) var<storage, read_write> norm: array<f32>;
@group(0) @binding(2) var<storage, read_write> coefficient: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  let length = sqrt(total[0]);
  norm[0] = length;
  let ratio = params.max_norm / (length + 1e-6);
  coefficient[0] = select(min(1.0, ratio), ratio, is_nan(ratio));
}
