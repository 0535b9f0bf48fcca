import { fn, type OptionKinds } from '../../tensor/graph/options.ts';

/** How much of a file has been downloaded. */
export interface Progress {
  /** Bytes received so far. Starts anew if a connection is cut whose server gives no ranges. */
  readonly loaded: number;
  /** Size of the file in bytes; null if the server does not say it. */
  readonly total: number | null;
}

export type ReportProgress = (progress: Progress) => void;

export interface OpenOptions {
  /** Called with the bytes that have been downloaded, of http and of a Response alone. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends opening, and later reads of a file on a server, with its reason. */
  readonly signal?: AbortSignal;
  /**
   * Whether a file on a server is kept by the browser (Cache API), whole, for the next visit, when the server is asked once whether it has
   * changed; 'force': it is not asked. Where there is no Cache API, the option changes nothing. Default false.
   */
  readonly cache?: boolean | 'force';
}

export const OPEN_OPTIONS: OptionKinds<OpenOptions> = {
  onProgress: fn,
  signal: { what: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
  cache: {
    what: "true, false or 'force'",
    accepts: (value) => typeof value === 'boolean' || value === 'force',
  },
};
