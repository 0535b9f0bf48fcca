// Features after channel confusion, SpecAugment's masks and mixing of rows, in this order:
//
//   z[r, c, m, t] = 0 where m or t is masked for (r, c), else x[r, channel(r, c), m, t]
//   y[b] = z[b]                                                without MIX, or where ratio[b] = 1
//   y[b] = ratio[b] z[b] + (1 - ratio[b]) z[partner[b]]        with MIX
//
// x [rows, channels, mels, times] and y [rows of y, channels, mels, times] f32; table i32 [rows, channels, 5]: the channel to read, first
// mel and end of the masked mels, first time and end of the masked times; partner i32, ratio f32 [rows of y]. A partner that is no row and
// a channel that is none give NaN. Element i of params.count is one of y.
//#include elements
struct Params { count: u32, rows: u32, channels: u32, mels: u32, times: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<i32>;
//#if MIX
@group(0) @binding(PARTNER_BINDING_) var<storage, read> partner: array<i32>;
@group(0) @binding(RATIO_BINDING_) var<storage, read> ratio: array<f32>;
//#endif
@group(0) @binding(Y_BINDING_) var<storage, read_write> y: array<f32>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;
//#include nan

fn augmented(row: u32, channel: u32, mel: u32, time: u32) -> f32 {
  let at = (row * params.channels + channel) * 5u;
  let origin = u32(table[at]);
  if (origin >= params.channels) {
    return not_a_number();
  }
  let mel_masked = i32(mel) >= table[at + 1u] && i32(mel) < table[at + 2u];
  let time_masked = i32(time) >= table[at + 3u] && i32(time) < table[at + 4u];
  if (mel_masked || time_masked) {
    return 0.0;
  }
  return x[((row * params.channels + origin) * params.mels + mel) * params.times + time];
}

fn run(i: u32) {
  let line = i / params.times;
  let time = i - line * params.times;
  let plane = line / params.mels;
  let mel = line - plane * params.mels;
  let row = plane / params.channels;
  let channel = plane - row * params.channels;
  var value = augmented(row, channel, mel, time);
//#if MIX
  let own = ratio[row];
  if (own != 1.0) {
    // A negative index becomes a large one.
    let other = u32(partner[row]);
    if (other < params.rows) {
      value = own * value + (1.0 - own) * augmented(other, channel, mel, time);
    } else {
      value = not_a_number();
    }
  }
//#endif
  y[i] = value;
}
