// y_i = a_i where condition_i is not 0, else b_i; a and b may be numbers instead of arrays. Words pass unchanged.
//
// condition, a, b and y are dense [count], four elements each where the length is a multiple of 4. A thread takes
// ITEMS_ neighbours, which divide count.
//#include elements
struct Params { count: u32, a_bits: u32, b_bits: u32 }

@group(0) @binding(0) var<storage, read> condition: array<CONDITION_>;
//#if A_ARRAY
@group(0) @binding(1) var<storage, read> a: array<TYPE_>;
//#endif
//#if B_ARRAY
@group(0) @binding(B_BINDING_) var<storage, read> b: array<TYPE_>;
//#endif
@group(0) @binding(Y_BINDING_) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

fn run(i: u32) {
  y[i] = select(B_VALUE_, A_VALUE_, condition[i] != CONDITION_(0));
}
