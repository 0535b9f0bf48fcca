// Writes one clip of the generated data set: a 24-bit binaural WAV file and an MP4 file at 30 frames per second.

import { join } from 'node:path';
import { registerMediabunnyServer } from '@mediabunny/server';
import {
  BufferTarget,
  canEncodeVideo,
  Mp4OutputFormat,
  Output,
  Quality,
  VideoSample,
  VideoSampleSource,
} from 'mediabunny';
import { SAMPLE_RATE } from '../../audio/clip.ts';
import { encodeWav } from '../../audio/wav.ts';
import { makeCamera, type Camera } from '../../synth/picture.ts';
import type { ClipPlan } from '../../synth/plan.ts';
import { SCENE_RULES } from '../../synth/rules.ts';
import { makeSound } from '../../synth/sound.ts';
import { writeFileAtomic } from '../../../node/files.ts';

registerMediabunnyServer({ hardwareContext: null });

/** Side of the videos in pixels. */
const VIDEO_SIZE = 96;
const FRAME_RATE = 30;
/** A constant quantizer makes the encoder deterministic, unlike a bit rate. Codecs without quantizer use the bit rate. */
const QUALITY = new Quality({ quantizer: 26, bitrate: 300_000 });

export interface MakeJob {
  readonly root: string;
  readonly clip: ClipPlan;
  readonly seed: number;
  readonly seconds: number;
}

/** Generates a clip from the seed alone and writes its two files. Throws a StorageError if writing fails. */
export async function generateClip({ root, clip, seed, seconds }: MakeJob): Promise<void> {
  const rule = SCENE_RULES[clip.scene];
  const location = `${seed}/${clip.location}`;
  const key = `${seed}/${clip.name}`;
  const sound = makeSound(rule.sound, location, key, seconds);
  await writeFileAtomic(join(root, 'audio', `${clip.name}.wav`), [encodeWav(sound, SAMPLE_RATE, 24)]);
  const video = await encodeVideo(makeCamera(rule.picture, location, key, VIDEO_SIZE), seconds);
  await writeFileAtomic(join(root, 'video', `${clip.name}.mp4`), [video]);
}

async function encodeVideo(camera: Camera, seconds: number): Promise<Uint8Array> {
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat(), target });
  const codec = await findCodec();
  const source = new VideoSampleSource({
    codec,
    quality: QUALITY,
    keyFrameInterval: 1,
    hardwareAcceleration: 'prefer-software',
  });
  output.addVideoTrack(source, { frameRate: FRAME_RATE });
  await output.start();
  const rgba = new Uint8Array(4 * VIDEO_SIZE * VIDEO_SIZE);
  for (let i = 0; i < seconds * FRAME_RATE; i++) {
    camera(i / FRAME_RATE, rgba);
    const sample = new VideoSample(rgba, {
      format: 'RGBX',
      codedWidth: VIDEO_SIZE,
      codedHeight: VIDEO_SIZE,
      timestamp: i / FRAME_RATE,
      duration: 1 / FRAME_RATE,
    });
    await source.add(sample);
    sample.close();
  }
  await output.finalize();
  if (!target.buffer) throw new Error('the video encoder gave no file');
  return withoutTimes(new Uint8Array(target.buffer));
}

/** Sets the times of writing, which three boxes of the container hold, to zero, so that files are reproducible. */
function withoutTimes(mp4: Uint8Array): Uint8Array {
  const bytes = Buffer.from(mp4.buffer, mp4.byteOffset, mp4.byteLength);
  for (const box of ['mvhd', 'tkhd', 'mdhd']) {
    // After the name: version and flags, then times of creation and modification, 4 bytes each in version 0 and 8 in version 1.
    const at = bytes.indexOf(box) + box.length;
    bytes.fill(0, at + 4, at + 4 + (bytes[at] === 0 ? 8 : 16));
  }
  return mp4;
}

async function findCodec(): Promise<'avc' | 'vp9' | 'av1'> {
  for (const codec of ['avc', 'vp9', 'av1'] as const) {
    if (await canEncodeVideo(codec, { width: VIDEO_SIZE, height: VIDEO_SIZE })) return codec;
  }
  throw new Error(
    'no encoder for H.264, VP9 or AV1 was found: is the package node-av installed for this machine?',
  );
}
