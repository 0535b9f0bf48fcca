// y_i = x_i, converted where the types differ. Between equal types the words are copied as u32, so every NaN stays.
//
// x and y are dense [count] of FROM_ and TO_, four elements each where the length is a multiple of 4. A thread takes
// ITEMS_ neighbours, which divide count.
//#include elements
struct Params { count: u32 }

@group(0) @binding(0) var<storage, read> x: array<FROM_>;
@group(0) @binding(1) var<storage, read_write> y: array<TO_>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(i: u32) {
  y[i] = TO_(x[i]);
}
