// The entry point of kernels on dense arrays, element by element: a thread calls run(i) for ITEMS_ neighbours i of params.count, which
// ITEMS_ divides. An element may be a vector of four.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = ((workgroup.x + workgroup.y * workgroups.x) * 64u + local) * ITEMS_;
  if (first < params.count) {
    for (var i = first; i < first + ITEMS_; i++) {
      run(i);
    }
  }
}
