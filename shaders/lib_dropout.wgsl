// Dropout of element `index` of a dense map of ELEMENT_: the draws are those of shaders/dropout.wgsl.
//#include random
//#include nan

fn dropped(value: ELEMENT_, index: u32) -> ELEMENT_ {
//#if VECTOR
  let kept = (random_bits(params.op, index) >> vec4u(8u)) >= vec4u(params.threshold);
  return select(zero_times4(value), value * params.keep_scale, kept);
//#else
  let bits = random_bits(params.op, index / 4u)[index % 4u];
  return select(zero_times(value), value * params.keep_scale, (bits >> 8u) >= params.threshold);
//#endif
}
