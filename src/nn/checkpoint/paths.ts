import type { ByteSource } from './source.ts';

/** Opens a path, or a file: URL. */
type PathOpener = (path: string | URL) => Promise<ByteSource>;

let opener: PathOpener | null = null;

/** Lets `openCheckpoint` open paths and file: URLs, as the entry for Node does. */
export function setPathOpener(open: PathOpener): void {
  opener = open;
}

/** Null where there are no paths. */
export const openPath = (path: string | URL): Promise<ByteSource> | null => opener?.(path) ?? null;
