// Decodes one clip into the store. A process that finds its clips there does not load this, and with it FFmpeg.

import { SAMPLE_RATE, secondsOf, type Stereo } from '../../audio/clip.ts';
import { openClipFile, writeClipFile, type ClipFile } from './clip-file.ts';
import { decodeFrames, decodeSound } from './media/decode.ts';
import type { WatchFile } from './media/open.ts';

/** Throws one sentence for a bad clip, and a StorageError if the store cannot be written. */
export async function decodeClip(
  path: string,
  { audio, video }: { readonly audio: string; readonly video: string },
  watch: WatchFile,
): Promise<ClipFile> {
  const sound = await readStereo(audio, watch);
  const seconds = secondsOf(sound);
  if (seconds.length === 0) {
    throw new Error(
      `${audio} lasts ${(sound[0].length / SAMPLE_RATE).toFixed(2)} s, at least one second is needed`,
    );
  }
  watch(video);
  const frames = await decodeFrames(video, seconds.length, () => watch(video));
  watch(null);
  await writeClipFile(path, seconds, frames);
  return openClipFile(path);
}

async function readStereo(path: string, watch: WatchFile): Promise<Stereo> {
  watch(path);
  const { sampleRate, channels } = await decodeSound(path, () => watch(path));
  const [left, right] = channels;
  if (sampleRate !== SAMPLE_RATE || channels.length !== 2 || !left || !right) {
    throw new Error(
      `${path} has ${channels.length} channels at ${sampleRate} Hz, the data set needs 2 at ${SAMPLE_RATE} Hz`,
    );
  }
  return [left, right];
}
