// The sound of a media file as samples.

import { AudioSampleSink, EncodedPacketSink, type InputAudioTrack } from 'mediabunny';
import type { Wav } from '../../../audio/wav.ts';
import { codecName, MediaError } from './errors.ts';
import { checkLength, type Heartbeat, type OpenMedia } from './open.ts';
import type { Timeline } from './timeline.ts';

/** Sound that ends this much before its described end, in s, was cut. Containers round, and encoders pad. */
const MAX_MISSING = 0.25;
/** An error this close to the end of the data, in s, is one of the last packet, which a cut broke. */
const LAST_PACKET = 0.5;

/** FFmpeg 8 crashes on some headers with more, which no recording has. */
const MAX_CHANNELS = 64;
/** Upper bound on the samples of all channels (2 GB as floats). An hour of 48 kHz stereo fits. */
const MAX_SAMPLES = 2 ** 29;

const METADATA = { metadataOnly: true } as const;

export interface Sound {
  readonly wav: Wav;
  /** Length in s, and what the file says that it should be. */
  readonly seconds: number;
  readonly described: number;
  /** True if something is missing at the end. */
  readonly endsEarly: boolean;
}

/**
 * Decodes a file's sound from second 0 of its timeline on. A file that was cut gives what is there.
 * Throws a MediaError: no sound, too long, a change of its format; and FFmpeg's or mediabunny's error where it is broken within.
 */
export async function readSound(
  { audio, video, cut, beat }: OpenMedia,
  { sound: origin }: Timeline,
): Promise<Sound> {
  if (!audio) throw new MediaError('has no sound');
  if (!(await audio.canDecode()))
    throw new MediaError(`has sound in ${await codecName(audio)}, which this program does not decode`);
  const sampleRate = await audio.getSampleRate();
  const count = await audio.getNumberOfChannels();
  if (!(sampleRate > 0 && count > 0)) throw new MediaError('has sound of an unknown format (broken file?)');
  if (count > MAX_CHANNELS)
    throw new MediaError(`has sound of ${count} channels at ${sampleRate} Hz (broken file?)`);
  // Asked first, because mediabunny 1.61 looks for the last packet of an empty FLAC track without end.
  if (!(await new EncodedPacketSink(audio).getFirstPacket(METADATA)))
    throw new MediaError('has no sound: its audio track is empty');
  const found = (await endOf(audio, beat)) - origin;
  // The header of a file with several tracks describes the longest one.
  const header = video ? null : await audio.getDurationFromMetadata();
  const described = Math.max(found, (header ?? 0) - origin);
  checkLength(described);
  const length = Math.round(Math.max(0, found) * sampleRate);
  checkRoom(length, count);
  const channels = Array.from({ length: count }, () => new Float32Array(length));
  let end = 0;
  let broken = false;
  try {
    for await (const sample of new AudioSampleSink(audio).samples()) {
      try {
        // Samples before the origin are the codec's priming, or cut away by an edit list. A late start leaves silence.
        const start = Math.round((sample.timestamp - origin) * sampleRate);
        const skipped = Math.max(0, -start);
        const kept = Math.min(sample.numberOfFrames, length - start) - skipped;
        if (sample.sampleRate !== sampleRate || sample.numberOfChannels !== count) {
          throw new MediaError(
            `changes its sound from ${count} channels at ${sampleRate} Hz to ${sample.numberOfChannels} at ` +
              `${sample.sampleRate} Hz at ${sample.timestamp.toFixed(2)} s`,
          );
        }
        for (let c = 0; c < count && kept > 0; c++) {
          sample.copyTo((channels[c] as Float32Array).subarray(start + skipped, start + skipped + kept), {
            planeIndex: c,
            format: 'f32-planar',
            frameOffset: skipped,
            frameCount: kept,
          });
        }
        end = Math.max(end, start + skipped + Math.max(0, kept));
      } finally {
        sample.close();
      }
      beat();
    }
  } catch (error) {
    // The last packet of a file that was cut is broken.
    const atEnd = cut !== null || found - end / sampleRate < LAST_PACKET;
    if (!atEnd || end === 0 || error instanceof MediaError) throw error;
    broken = true;
  }
  if (end === 0) throw new MediaError('has no sound: its audio track is empty');
  const wav = { sampleRate, channels: channels.map((samples) => samples.subarray(0, end)) };
  const seconds = end / sampleRate;
  return { wav, seconds, described, endsEarly: broken || described - seconds > MAX_MISSING };
}

/** End of the last packet in s. A file that was cut may lack the place where the container keeps it. */
async function endOf(track: InputAudioTrack, beat: Heartbeat): Promise<number> {
  try {
    return await track.computeDuration();
  } catch {
    let end = 0;
    try {
      for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, METADATA)) {
        end = Math.max(end, packet.timestamp + packet.duration);
        beat();
      }
    } catch (error) {
      if (end === 0) throw error;
    }
    return end;
  }
}

/** Throws a MediaError if the samples of all channels are more than fit into memory. */
export function checkRoom(length: number, channels: number): void {
  if (length * channels <= MAX_SAMPLES) return;
  throw new MediaError(
    `has ${channels} channels of ${length} samples, more than fit into memory: cut it into parts`,
  );
}
