// Whole seconds of a live stream: sound and pictures that belong together, by one clock.

/** Times of a second's pictures after its beginning, in ms: the 1st and the 15th frame at 30 frames per second. */
const PICTURE_TIMES = [0, 14_000 / 30] as const;
const SECOND_MS = 1000;
/** The most by which the clock of the sound is slower than the page's, in ms per second. */
const DRIFT_MS = 0.5;
/** A frame further from a picture's time does not stand for it. */
const MAX_DISTANCE_MS = 250;
const FIRST_INTERVAL_MS = 1000 / 30;

/** A second of a stream. */
export interface StreamSecond<Picture> {
  /** From 0. */
  readonly index: number;
  /** Left and right, `sampleRate` samples each; null if the stream has no sound. */
  readonly sound: readonly [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] | null;
  /** Null if the stream has no pictures. */
  readonly pictures: readonly [Picture, Picture] | null;
}

/** What becomes of each second. */
interface SecondEvents<Picture> {
  readonly onSecond: (second: StreamSecond<Picture>) => void;
  /** A second whose pictures did not come. */
  readonly onIncomplete: (index: number) => void;
}

/**
 * Cuts a stream into seconds. Sound sets the clock, or else the first picture: second k begins when its first sample was taken, as
 * far as the arrival of the sound shows it. Times are in ms of the page's clock (`performance.now()`).
 */
export class SecondAssembler<Picture> {
  readonly #sampleRate: number | null;
  readonly #hasPictures: boolean;
  readonly #events: SecondEvents<Picture>;
  /** When second 0 began; null before the first sound, or the first picture. */
  #start: number | null = null;
  /** The second whose sound is being filled. */
  #index = 0;
  #filled = 0;
  #left = new Float32Array(0);
  #right = new Float32Array(0);
  /** The next picture that is wanted: two for each second. */
  #wanted = 0;
  #pictures = new Map<number, Picture>();
  #lastFrame: number | null = null;
  #interval = FIRST_INTERVAL_MS;

  /** `sampleRate` is null if the stream has no sound. */
  constructor(sampleRate: number | null, hasPictures: boolean, events: SecondEvents<Picture>) {
    this.#sampleRate = sampleRate;
    this.#hasPictures = hasPictures;
    this.#events = events;
    this.#clear();
  }

  /** Adds sound that has just arrived at `time`; pieces follow each other without gaps. */
  addSound(left: Float32Array, right: Float32Array, time: number): void {
    const rate = this.#sampleRate;
    if (rate === null) return;
    const samples = this.#index * rate + this.#filled + left.length;
    this.#setClock(time - (samples / rate) * SECOND_MS, (left.length / rate) * DRIFT_MS);
    for (let used = 0; used < left.length;) {
      const end = Math.min(left.length, used + rate - this.#filled);
      this.#left.set(left.subarray(used, end), this.#filled);
      this.#right.set(right.subarray(used, end), this.#filled);
      this.#filled += end - used;
      used = end;
      if (this.#filled === rate) this.#finish();
    }
  }

  /** Sound is often delivered late, and never early, so the earliest start is the best known. It may move by the clocks' drift. */
  #setClock(start: number, drift: number): void {
    this.#start = this.#start === null ? start : Math.min(start, this.#start + drift);
  }

  /** Takes a frame shown at `time` if it is the nearest to a time that a picture is wanted of; `read` gives its pixels. */
  offerFrame(time: number, read: () => Picture): void {
    if (this.#lastFrame !== null && time > this.#lastFrame)
      this.#interval += (Math.min(time - this.#lastFrame, MAX_DISTANCE_MS) - this.#interval) / 8;
    this.#lastFrame = time;
    if (this.#start === null && this.#sampleRate === null) this.#start = time;
    if (this.#start === null) return;
    if (this.#sampleRate === null) while (time >= this.#start + (this.#index + 1) * SECOND_MS) this.#finish();
    // The nearest frame is at most half an interval early.
    const reached = time + this.#interval / 2;
    while (reached >= this.#timeOf(this.#wanted + 1)) this.#wanted++;
    if (reached < this.#timeOf(this.#wanted)) return;
    const isNear = Math.abs(time - this.#timeOf(this.#wanted)) <= MAX_DISTANCE_MS;
    if (isNear && this.#wanted >= 2 * this.#index) this.#pictures.set(this.#wanted, read());
    this.#wanted++;
  }

  #timeOf(picture: number): number {
    const second = Math.floor(picture / 2);
    return (this.#start ?? 0) + second * SECOND_MS + PICTURE_TIMES[picture % 2 === 0 ? 0 : 1];
  }

  #finish(): void {
    const index = this.#index++;
    const sound = this.#sampleRate === null ? null : ([this.#left, this.#right] as const);
    const [first, second] = [this.#pictures.get(2 * index), this.#pictures.get(2 * index + 1)];
    this.#pictures.delete(2 * index);
    this.#pictures.delete(2 * index + 1);
    this.#clear();
    if (!this.#hasPictures) this.#events.onSecond({ index, sound, pictures: null });
    else if (first === undefined || second === undefined) this.#events.onIncomplete(index);
    else this.#events.onSecond({ index, sound, pictures: [first, second] });
  }

  #clear(): void {
    this.#filled = 0;
    this.#left = new Float32Array(this.#sampleRate ?? 0);
    this.#right = new Float32Array(this.#sampleRate ?? 0);
  }
}
