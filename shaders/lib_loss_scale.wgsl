// Words of a device's loss scale (src/tensor/graph/loss_scale.ts). The first holds the bits of an f32, a power of two.
const SCALE = 0u;
// Steps in a row without overflow since the scale last changed, and all steps that were skipped.
const GOOD_STEPS = 1u;
const SKIPPED = 2u;
// Of the round under way, as 0 or 1: a gradient was not finite; an optimizer has stepped; a backward was scaled.
const OVERFLOW = 3u;
const STEPPED = 4u;
const SCALED = 5u;
