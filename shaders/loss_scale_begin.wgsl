// Begins a backward: settles the round before, if an optimizer has stepped in it, and gives the seed gradient.
//
//   overflow in a scaled round:  scale = max(scale / 2, 1), skipped += 1, good steps = 0
//   none in a scaled round:      good steps += 1; at growth_interval scale = min(2 scale, max_scale), good steps = 0
//   seed = scale with SCALED_SEED, else 1
//
// state is u32 [6] (lib_loss_scale.wgsl), seed f32 [1]; one thread.
//#include loss_scale
struct Params { growth_interval: u32, max_scale: f32 }

@group(0) @binding(0) var<storage, read_write> state: array<u32>;
@group(0) @binding(1) var<storage, read_write> seed: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  var scale = bitcast<f32>(state[SCALE]);
  if (state[STEPPED] != 0u) {
    if (state[SCALED] != 0u) {
      var good = state[GOOD_STEPS] + 1u;
      if (state[OVERFLOW] != 0u) {
        scale = max(0.5 * scale, 1.0);
        state[SKIPPED] += 1u;
        good = 0u;
      } else if (good >= params.growth_interval) {
        scale = min(2.0 * scale, params.max_scale);
        good = 0u;
      }
      state[SCALE] = bitcast<u32>(scale);
      state[GOOD_STEPS] = good;
    }
    state[OVERFLOW] = 0u;
    state[STEPPED] = 0u;
    state[SCALED] = 0u;
  }
//#if SCALED_SEED
  state[SCALED] = 1u;
  seed[0] = scale;
//#else
  seed[0] = 1.0;
//#endif
}
