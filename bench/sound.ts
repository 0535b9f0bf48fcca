import { SAMPLE_RATE, type Stereo } from '../src/avsc/audio/clip.ts';
import { resample } from '../src/avsc/audio/resample.ts';
import { makeExtraSound } from '../src/avsc/augment/sound/extras.ts';
import { SOUND_OPERATION_NAMES } from '../src/avsc/augment/sound/index.ts';
import { randomStream } from '../src/avsc/dataset/random.ts';
import { LogMelExtractor } from '../src/avsc/features/logmel.ts';
import { timeHost, type HostTime, type HostWork } from './timer.ts';

/** Length of a recording of TAU in seconds. */
const SECONDS = 10;
const OTHER_RATE = 44_100;

interface SoundResult extends HostTime {
  /** Speed as a multiple of real time. */
  readonly timesRealTime: number;
}

/** Times the CPU work on ten seconds of stereo: resampling, features and augmentation. */
export async function benchSound(repeats: number): Promise<SoundResult[]> {
  const clip = stereo(SAMPLE_RATE);
  const other = stereo(OTHER_RATE);
  const extractor = new LogMelExtractor();
  const works: HostWork[] = [
    {
      name: `resample ${OTHER_RATE} to ${SAMPLE_RATE} Hz`,
      run: () => other.map((channel) => resample(channel, OTHER_RATE, SAMPLE_RATE)),
    },
    { name: 'log-mel features, second by second', run: () => extractor.seconds(clip) },
    ...SOUND_OPERATION_NAMES.map((op): HostWork => ({
      name: `extra clip by ${op}`,
      run: () => makeExtraSound({ op, sound: clip, partner: clip, random: randomStream(1, op) }),
    })),
  ];
  const times = await timeHost(works, repeats);
  return times.map((time) => ({ ...time, timesRealTime: (SECONDS * 1e3) / time.milliseconds }));
}

function stereo(rate: number): Stereo {
  const tone = (hertz: number): Float32Array =>
    Float32Array.from({ length: SECONDS * rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));
  return [tone(440), tone(660)];
}
