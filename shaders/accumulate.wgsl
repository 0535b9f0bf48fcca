// y_i += x_i, in place.
//
// x and y are dense [count] of TYPE_, which is vec4f where the length is a multiple of 4. A thread takes ITEMS_
// neighbours, which divide count.
//#include elements
struct Params { count: u32 }

@group(0) @binding(0) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(1) var<storage, read> x: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(i: u32) {
  y[i] += x[i];
}
