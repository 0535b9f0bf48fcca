// Judges a live stream, second by second.

import { checkOptions, fn, type OptionKinds } from '../../tensor/graph/options.ts';
import { tapPictures } from './picture-tap.ts';
import { SecondAssembler, type StreamSecond } from './seconds.ts';
import { tapSound, type Tap } from './sound-tap.ts';
import type { Heard, ListenOptions, SceneInput } from './types.ts';

const OPTIONS: OptionKinds<ListenOptions> = {
  signal: { what: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
  onDropped: fn,
};

/** How often the stream is looked at, and how long sound may take to begin, in ms. */
const LOOK_MS = 200;
const LONGEST_SILENCE_MS = 3000;

/** What listening needs of a classifier. */
interface Judge<Result> {
  readonly classify: (input: SceneInput) => Promise<Result>;
  /** Whether its models use the sound and the pictures of a stream that has these. Throws an Error if none can judge it. */
  readonly needs: (hasSound: boolean, hasPictures: boolean) => readonly [sound: boolean, pictures: boolean];
}

/** Judges the seconds of a stream while it lasts; see `SceneClassifier.listen`. */
export async function* listenTo<Result extends object>(
  judge: Judge<Result>,
  stream: MediaStream,
  options: ListenOptions,
): AsyncGenerator<Heard<Result>, void, void> {
  const { signal, onDropped } = checkOptions('listen', options, OPTIONS);
  signal?.throwIfAborted();
  const [audio, video] = [liveTrack(stream.getAudioTracks()), liveTrack(stream.getVideoTracks())];
  if (audio === null && video === null) throw new Error('the stream has no track that is live');
  const [needsSound, needsPictures] = judge.needs(audio !== null, video !== null);
  const tracks = [needsSound ? audio : null, needsPictures ? video : null] as const;
  let dropped = 0;
  const box = new Box<StreamSecond<ImageData>>(({ index }) => drop(index, 'busy'));
  const drop = (second: number, reason: 'busy' | 'pictures'): void => {
    dropped++;
    onDropped?.(second, reason);
  };
  const onAbort = (): void => box.fail(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let taps: Taps | undefined;
  try {
    taps = await startTaps(tracks, box, (index) => drop(index, 'pictures'));
    for (;;) {
      const second = await box.take();
      if (second === null) return;
      const { sound, pictures, index } = second;
      const input: SceneInput = {
        ...(sound && { audio: sound, sampleRate: taps.sampleRate }),
        ...(pictures && { images: pictures }),
      };
      const result = await judge.classify(input);
      signal?.throwIfAborted();
      const before = dropped;
      dropped = 0;
      yield { ...result, input, second: index, dropped: before };
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await taps?.close();
  }
}

const liveTrack = (tracks: readonly MediaStreamTrack[]): MediaStreamTrack | null =>
  tracks.find(({ readyState }) => readyState === 'live') ?? null;

interface Taps {
  readonly sampleRate: number;
  close(): Promise<void>;
}

/** Puts the seconds of the tracks into the box until they end. */
async function startTaps(
  [audio, video]: readonly [MediaStreamTrack | null, MediaStreamTrack | null],
  box: Box<StreamSecond<ImageData>>,
  onIncomplete: (index: number) => void,
): Promise<Taps> {
  let assembler: SecondAssembler<ImageData> | null = null;
  let lastSound = performance.now();
  const sound: Tap | null =
    audio &&
    (await tapSound(audio, (left, right) => {
      lastSound = performance.now();
      assembler?.addSound(left, right, lastSound);
    }));
  assembler = new SecondAssembler(sound?.sampleRate ?? null, video !== null, {
    onSecond: (second) => box.put(second),
    onIncomplete,
  });
  let stopPictures: (() => void) | null = null;
  try {
    stopPictures = video && (await tapPictures(video, (time, read) => assembler.offerFrame(time, read)));
  } catch (error) {
    await sound?.close();
    throw error;
  }
  const timer = setInterval(() => {
    if ([audio, video].some((track) => track?.readyState === 'ended')) box.end();
    const problem = performance.now() - lastSound > LONGEST_SILENCE_MS ? (sound?.problem() ?? null) : null;
    if (problem !== null) box.fail(new Error(problem));
  }, LOOK_MS);
  return {
    sampleRate: sound?.sampleRate ?? 0,
    close: async () => {
      clearInterval(timer);
      stopPictures?.();
      await sound?.close();
    },
  };
}

/** Holds the newest second until it is taken. One that was not taken by then is dropped, so that nothing piles up. */
class Box<T> {
  readonly #onDropped: (item: T) => void;
  #item: T | null = null;
  #ended = false;
  #failure: { readonly reason: unknown } | null = null;
  #wake: (() => void) | null = null;

  constructor(onDropped: (item: T) => void) {
    this.#onDropped = onDropped;
  }

  put(item: T): void {
    if (this.#item !== null) this.#onDropped(this.#item);
    this.#item = item;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  /** The newest second, as soon as there is one; null after the end. Throws the reason of a failure. */
  async take(): Promise<T | null> {
    while (this.#item === null && this.#failure === null && !this.#ended)
      await new Promise<void>((wake) => (this.#wake = wake));
    if (this.#failure !== null) throw this.#failure.reason;
    const item = this.#item;
    this.#item = null;
    return item;
  }
}
