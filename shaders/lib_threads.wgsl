// The entry point of kernels whose threads work alone: thread i of params.threads calls run(i). Workgroups are numbered over x and y
// (src/kernels/context.ts, spread).
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let thread = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (thread < params.threads) {
    run(thread);
  }
}
