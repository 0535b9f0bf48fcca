// y_i = a constant, given by its 32 bits, which no float literal could say for infinity and NaN.
//
// y is dense [count] of TYPE_, words or f32 where they are stored in halves. A thread takes ITEMS_ neighbours, which divide count.
//#include elements
struct Params { count: u32, bits: u32 }

@group(0) @binding(0) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(1) var<uniform> params: Params;

fn run(i: u32) {
  y[i] = TYPE_(VALUE_);
}
