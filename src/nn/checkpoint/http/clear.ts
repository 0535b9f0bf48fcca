/** Name of the cache in the browser's Cache API. */
export const CACHE_NAME = 'wavelight-checkpoints';

/** Removes all files that `openCheckpoint` has kept by its option `cache`. Gives false if there were none. */
export async function clearCheckpointCache(): Promise<boolean> {
  return typeof caches === 'undefined' ? false : caches.delete(CACHE_NAME);
}
