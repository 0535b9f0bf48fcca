// Small valid media files of 2 s to mutate: written by mediabunny's encoders, and by ffmpeg too where it is installed.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registerMediabunnyServer } from '@mediabunny/server';
import {
  AdtsOutputFormat,
  AudioSample,
  AudioSampleSource,
  BufferTarget,
  FlacOutputFormat,
  MkvOutputFormat,
  Mp3OutputFormat,
  Mp4OutputFormat,
  MpegTsOutputFormat,
  OggOutputFormat,
  Output,
  Quality,
  VideoSample,
  VideoSampleSource,
  WavOutputFormat,
  WebMOutputFormat,
  type AudioCodec,
  type OutputFormat,
  type VideoCodec,
} from 'mediabunny';
import { MEDIA_FORMATS, type MediaFormat, type MediaSeeds } from './media.ts';

const SECONDS = 2;
const WIDTH = 64;
const HEIGHT = 48;
const FRAME_RATE = 15;

interface Recipe {
  readonly format: MediaFormat;
  readonly container: OutputFormat;
  readonly sound: AudioCodec;
  readonly pictures?: VideoCodec;
  readonly rate?: number;
}

const RECIPES: readonly Recipe[] = [
  {
    format: 'mp4',
    container: new Mp4OutputFormat({ fastStart: 'in-memory' }),
    sound: 'aac',
    pictures: 'avc',
  },
  { format: 'mp4', container: new Mp4OutputFormat({ fastStart: false }), sound: 'aac', pictures: 'avc' },
  {
    format: 'mp4',
    container: new Mp4OutputFormat({ fastStart: 'fragmented' }),
    sound: 'aac',
    pictures: 'avc',
  },
  { format: 'mkv', container: new MkvOutputFormat(), sound: 'opus', pictures: 'avc' },
  { format: 'webm', container: new WebMOutputFormat(), sound: 'opus', pictures: 'vp9' },
  { format: 'ts', container: new MpegTsOutputFormat(), sound: 'aac', pictures: 'avc' },
  { format: 'wav', container: new WavOutputFormat(), sound: 'pcm-s16', rate: 8000 },
  { format: 'wav', container: new WavOutputFormat({ large: true }), sound: 'pcm-f32', rate: 8000 },
  { format: 'mp3', container: new Mp3OutputFormat(), sound: 'mp3' },
  { format: 'aac', container: new AdtsOutputFormat(), sound: 'aac' },
  { format: 'ogg', container: new OggOutputFormat(), sound: 'opus' },
  { format: 'flac', container: new FlacOutputFormat(), sound: 'flac' },
];

/** Arguments of ffmpeg after its inputs, a video and a sound. */
const FFMPEG: readonly (readonly [format: MediaFormat, inputs: 'both' | 'sound', args: string])[] = [
  ['mp4', 'both', '-c:v libx264 -bf 2 -c:a aac -b:a 16k -f mp4'],
  ['mp4', 'both', '-c:v libx264 -c:a aac -b:a 16k -movflags +faststart -f mp4'],
  [
    'mp4',
    'both',
    '-c:v libx264 -g 15 -c:a aac -b:a 16k -movflags +frag_keyframe+empty_moov+default_base_moof+global_sidx -f mp4',
  ],
  ['mkv', 'both', '-c:v libx264 -c:a libvorbis -ar 48000 -f matroska'],
  ['mkv', 'both', '-c:v libx264 -c:a libopus -b:a 8k -f matroska'],
  ['webm', 'both', '-c:v libvpx-vp9 -b:v 20k -cpu-used 8 -c:a libopus -b:a 8k -f webm'],
  ['ts', 'both', '-c:v libx264 -c:a aac -b:a 16k -f mpegts'],
  ['wav', 'sound', '-c:a pcm_s16le -f wav'],
  ['wav', 'sound', '-c:a pcm_s24le -f wav'],
  ['wav', 'sound', '-c:a pcm_f32le -f wav'],
  ['wav', 'sound', '-c:a pcm_u8 -f wav'],
  ['wav', 'sound', '-c:a pcm_mulaw -f wav'],
  ['wav', 'sound', '-c:a pcm_s16le -rf64 always -f wav'],
  ['wav', 'sound', '-c:a pcm_s16le -f w64'],
  ['mp3', 'sound', '-c:a libmp3lame -b:a 16k -f mp3'],
  ['aac', 'sound', '-c:a aac -b:a 16k -f adts'],
  ['ogg', 'sound', '-c:a libvorbis -f ogg'],
  ['flac', 'sound', '-c:a flac -f flac'],
];

/** Writes the seeds into a folder, from where `readSeeds` reads them. Returns whether ffmpeg was there to help. */
export async function writeSeeds(folder: string): Promise<{ readonly ffmpeg: boolean }> {
  registerMediabunnyServer({ hardwareContext: null });
  mkdirSync(folder, { recursive: true });
  for (const [i, recipe] of RECIPES.entries())
    writeFileSync(join(folder, nameOf(recipe.format, i)), await encode(recipe));
  try {
    FFMPEG.forEach(([format, inputs, args], i) => {
      runFfmpeg(inputs, args, join(folder, nameOf(format, RECIPES.length + i)));
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    return { ffmpeg: false };
  }
  return { ffmpeg: true };
}

/** The seeds that `writeSeeds` wrote. */
export function readSeeds(folder: string): MediaSeeds {
  const names = readdirSync(folder).sort();
  const of = (format: MediaFormat): Uint8Array[] =>
    names
      .filter((name) => name.endsWith(`.${format}`))
      .map((name) => new Uint8Array(readFileSync(join(folder, name))));
  return Object.fromEntries(MEDIA_FORMATS.map((format) => [format, of(format)])) as Record<
    MediaFormat,
    Uint8Array[]
  >;
}

const nameOf = (format: MediaFormat, index: number): string => `${String(index).padStart(2, '0')}.${format}`;

async function encode({ container, sound, pictures, rate = 48_000 }: Recipe): Promise<Uint8Array> {
  const target = new BufferTarget();
  const output = new Output({ format: container, target });
  const audio = new AudioSampleSource({ codec: sound, quality: new Quality({ bitrate: 16_000 }) });
  const video =
    pictures === undefined
      ? undefined
      : new VideoSampleSource({
          codec: pictures,
          quality: new Quality({ quantizer: 40, bitrate: 20_000 }),
          hardwareAcceleration: 'prefer-software',
        });
  output.addAudioTrack(audio);
  if (video) output.addVideoTrack(video, { frameRate: FRAME_RATE });
  await output.start();
  const data = Float32Array.from(
    { length: SECONDS * rate },
    (_, i) => 0.3 * Math.sin((i * 2 * Math.PI * 440) / rate),
  );
  const tone = new AudioSample({ data, format: 'f32', numberOfChannels: 1, sampleRate: rate, timestamp: 0 });
  await audio.add(tone);
  tone.close();
  for (let i = 0; video && i < SECONDS * FRAME_RATE; i++) {
    const rgba = new Uint8Array(WIDTH * HEIGHT * 4).fill((8 * i) % 256);
    const sample = new VideoSample(rgba, {
      format: 'RGBX',
      codedWidth: WIDTH,
      codedHeight: HEIGHT,
      timestamp: i / FRAME_RATE,
      duration: 1 / FRAME_RATE,
    });
    await video.add(sample);
    sample.close();
  }
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}

function runFfmpeg(inputs: 'both' | 'sound', args: string, path: string): void {
  const video = `-f lavfi -i testsrc2=size=${WIDTH}x${HEIGHT}:rate=${FRAME_RATE}:duration=${SECONDS}`;
  const sound = `-f lavfi -i sine=frequency=440:sample_rate=8000:duration=${SECONDS}`;
  const exact =
    '-preset ultrafast -crf 40 -pix_fmt yuv420p -threads 1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact';
  const text = `-v error -y ${inputs === 'both' ? video : ''} ${sound} ${inputs === 'both' ? exact : '-fflags +bitexact -flags:a +bitexact'} ${args}`;
  execFileSync('ffmpeg', [...text.split(' ').filter(Boolean), path], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
}
