// Opens media files: mediabunny reads the containers, FFmpeg decodes what is in them.

import { registerMediabunnyServer } from '@mediabunny/server';
import {
  ADTS,
  FilePathSource,
  FLAC,
  Input,
  Logging,
  LogLevel,
  MATROSKA,
  MP3,
  MP4,
  MPEG_TS,
  OGG,
  QTFF,
  WAVE,
  WEBM,
  type InputAudioTrack,
  type InputVideoTrack,
} from 'mediabunny';
import { AV_LOG_QUIET, Log } from 'node-av';
import { checkFile } from '../../../../node/files.ts';
import { inspectContainer } from './container.ts';
import { MediaError, named, truncated } from './errors.ts';

// Hardware decoding is off: results must not depend on the machine's video decoder, and probing for one prints warnings.
registerMediabunnyServer({ hardwareContext: null });
// What the libraries find wrong becomes an error of ours, or a warning about the file.
Log.setLevel(AV_LOG_QUIET);
Logging.level = LogLevel.Silent;

// What fails in a decoder, mediabunny 1.61 reports to its caller, and it also rejects a promise that nobody awaits, which would end
// the process. Other unhandled rejections still end it, unless the host listens.
process.on('unhandledRejection', (reason) => {
  const reported = reason instanceof Error && /mediabunny|node-av/.test(reason.stack ?? '');
  if (!reported && process.listenerCount('unhandledRejection') === 1) throw reason;
});

/** All that mediabunny reads but playlists (HLS), which would open other files and addresses than the one that the user named. */
const FORMATS = [MP4, QTFF, MATROSKA, WEBM, WAVE, OGG, FLAC, MP3, ADTS, MPEG_TS];

/** One hour of sound or pictures. Longer files are refused before memory is allocated. */
const MAX_SECONDS = 3600;

/** A last second that lacks up to 10 ms counts, as in `secondsOf`. */
export const SHORTFALL = 0.01;

/** Called whenever the decoding of a file has come further, so that its supervisor knows that it does not hang. */
export type Heartbeat = () => void;

/** The same with the file's name, and with null when none is being decoded any more. */
export type WatchFile = (file: string | null) => void;

export const NO_BEAT: Heartbeat = () => undefined;

export interface OpenMedia {
  /** The primary tracks. */
  readonly video: InputVideoTrack | null;
  readonly audio: InputAudioTrack | null;
  /** What shows that the file was cut, as a clause; null if nothing does. */
  readonly cut: string | null;
  readonly beat: Heartbeat;
}

/** Opens a file for `use`. Throws one sentence that begins with the file's name, for each error of `use` too. */
export async function withMedia<T>(
  path: string,
  beat: Heartbeat,
  use: (media: OpenMedia) => Promise<T>,
): Promise<T> {
  await checkFile(path);
  try {
    const { cut, end } = inspectContainer(path);
    const input = new Input({ source: new FilePathSource(path).slice(0, end), formats: FORMATS });
    try {
      // A format reader may throw on bytes of another format, which also means that it cannot read the file.
      if (!(await input.canRead().catch(() => false))) {
        throw new MediaError('is not a media file this program reads (mp4, mkv, webm, wav, ...)');
      }
      return await useTracks(input, { cut, beat }, use);
    } finally {
      input.dispose();
    }
  } catch (error) {
    throw named(path, error);
  }
}

async function useTracks<T>(
  input: Input,
  { cut, beat }: Pick<OpenMedia, 'cut' | 'beat'>,
  use: (media: OpenMedia) => Promise<T>,
): Promise<T> {
  try {
    const [video, audio] = [await input.getPrimaryVideoTrack(), await input.getPrimaryAudioTrack()];
    return await use({ video, audio, cut, beat });
  } catch (error) {
    throw cut === null ? error : new MediaError(truncated(cut), { cause: error });
  }
}

/** Throws a MediaError if a file lasts longer than an hour. */
export function checkLength(seconds: number): void {
  if (seconds <= MAX_SECONDS) return;
  if (!Number.isFinite(seconds)) throw new MediaError('does not say how long it lasts (broken file?)');
  throw new MediaError(`lasts ${seconds.toFixed(2)} s, more than ${MAX_SECONDS} s: cut it into parts`);
}
