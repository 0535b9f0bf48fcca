// b[position] = a[position] over an index space that a and b see by strides of their own (see lib_strided): slices,
// permutations, concatenation, expansion and padding are all this copy.
//
// A thread moves ITEMS_ neighbours along the innermost dimension, with REST perhaps fewer at a row's end, each of TYPE_: one or
// four words or halves, which are copied as they are; f32 where a and b are stored in different types. A_ELEMENT_ is TYPE_, or
// one element where a repeats along the innermost dimension.
//#include threads
//#include strided
struct Params {
  threads: u32, row_threads: u32, row_length: u32,
  a_base: u32, b_base: u32, a_step: u32, b_step: u32,
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a_last: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b_last: u32,
}

@group(0) @binding(0) var<storage, read> a: array<A_ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> b: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(thread: u32) {
  let at = positions(thread);
//#if REST
  let count = min(ITEMS_, params.row_length - thread % params.row_threads * ITEMS_);
//#else
  let count = ITEMS_;
//#endif
  for (var item = 0u; item < count; item++) {
    b[at.y + item * params.b_step] = TYPE_(a[at.x + item * params.a_step]);
  }
}
