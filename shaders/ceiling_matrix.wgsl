// The device's rate of subgroup matrices: every subgroup runs eight independent sums of products c += left right, all in registers.
//
// left is 1 everywhere and right 2^-10, so that an element of c ends at iterations * K * 2^-10, exactly. The eight results are added
// up through workgroup memory, so that none can be left out.
// Element, M, N, K and SUBGROUP_SIZE are declared before this text.
// Geometry: four subgroups a workgroup, any number of workgroups.
// Bindings: 0 sums f32[workgroups][4][M * N], the sum of the eight results.

struct Params {
  iterations: u32,
}

alias Left = subgroup_matrix_left<Element, K, M>;
alias Right = subgroup_matrix_right<Element, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

var<workgroup> results: array<f32, 4 * M * N>;

@compute @workgroup_size(4 * SUBGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let left = Left(Element(1));
  let right = Right(Element(0.0009765625));
  var c0 = Result();
  var c1 = Result();
  var c2 = Result();
  var c3 = Result();
  var c4 = Result();
  var c5 = Result();
  var c6 = Result();
  var c7 = Result();
  for (var i = 0u; i < params.iterations; i++) {
    c0 = subgroupMatrixMultiplyAccumulate(left, right, c0);
    c1 = subgroupMatrixMultiplyAccumulate(left, right, c1);
    c2 = subgroupMatrixMultiplyAccumulate(left, right, c2);
    c3 = subgroupMatrixMultiplyAccumulate(left, right, c3);
    c4 = subgroupMatrixMultiplyAccumulate(left, right, c4);
    c5 = subgroupMatrixMultiplyAccumulate(left, right, c5);
    c6 = subgroupMatrixMultiplyAccumulate(left, right, c6);
    c7 = subgroupMatrixMultiplyAccumulate(left, right, c7);
  }
  let place = subgroup * (M * N);
  let to = workgroup.x * (4 * M * N);
  var c = array<Result, 8>(c0, c1, c2, c3, c4, c5, c6, c7);
  for (var j = 0u; j < 8; j++) {
    workgroupBarrier();
    subgroupMatrixStore<row_major>(&results, place, c[j], N);
    workgroupBarrier();
    for (var i = lane; i < 4 * M * N; i += 4 * SUBGROUP_SIZE) {
      sums[to + i] = results[i] + select(sums[to + i], 0, j == 0);
    }
  }
}
