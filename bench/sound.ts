import { SAMPLE_RATE, type Stereo } from '../src/avsc/audio/clip.ts';
import { resample } from '../src/avsc/audio/resample.ts';
import { LogMelExtractor } from '../src/avsc/features/logmel.ts';
import { median } from './report.ts';

/** Length of a recording of TAU in seconds. */
const SECONDS = 10;
const OTHER_RATE = 44_100;

interface SoundResult {
  readonly work: string;
  readonly milliseconds: number;
  /** Speed as a multiple of real time. */
  readonly timesRealTime: number;
}

/** Times the CPU work on ten seconds of stereo: resampling and features, each the median of `repeats`. */
export function benchSound(repeats: number): SoundResult[] {
  const clip = stereo(SAMPLE_RATE);
  const other = stereo(OTHER_RATE);
  const extractor = new LogMelExtractor();
  return [
    timed(`resample ${OTHER_RATE} to ${SAMPLE_RATE} Hz`, repeats, () =>
      other.map((channel) => resample(channel, OTHER_RATE, SAMPLE_RATE)),
    ),
    timed('log-mel features, second by second', repeats, () => extractor.seconds(clip)),
  ];
}

function timed(work: string, repeats: number, run: () => unknown): SoundResult {
  const times = Array.from({ length: repeats }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  const milliseconds = median(times);
  return { work, milliseconds, timesRealTime: (SECONDS * 1e3) / milliseconds };
}

function stereo(rate: number): Stereo {
  const tone = (hertz: number): Float32Array =>
    Float32Array.from({ length: SECONDS * rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));
  return [tone(440), tone(660)];
}
