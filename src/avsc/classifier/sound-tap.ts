// The sound of a stream, piece by piece, by an AudioWorklet.

/** A source of a stream that has been started. */
export interface Tap {
  readonly sampleRate: number;
  /** Why there is no sound yet; null if nothing is known to be wrong. */
  problem(): string | null;
  close(): Promise<void>;
}

const NAME = 'wavelight-sound-tap';

/** The worklet's module. It is text because bundlers do not agree on how to bundle a file of a worklet. */
const MODULE = `
const SIZE = 4096;
registerProcessor('${NAME}', class extends AudioWorkletProcessor {
  filled = 0;
  process([channels]) {
    const [left, right = left] = channels;
    const count = left ? left.length : 128;
    if (this.filled === 0) this.pieces = [new Float32Array(SIZE), new Float32Array(SIZE)];
    if (left) {
      this.pieces[0].set(left, this.filled);
      this.pieces[1].set(right, this.filled);
    }
    this.filled += count;
    if (this.filled + count > SIZE) {
      const [a, b] = this.pieces.map((piece) => piece.slice(0, this.filled));
      this.port.postMessage([a, b], [a.buffer, b.buffer]);
      this.filled = 0;
    }
    return true;
  }
});`;

/** Calls `onSound` with left and right of each piece of a track, until it is closed. Throws an Error of one sentence. */
export async function tapSound(
  track: MediaStreamTrack,
  onSound: (left: Float32Array, right: Float32Array) => void,
): Promise<Tap> {
  const context = new AudioContext();
  try {
    await addModule(context);
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const node = new AudioWorkletNode(context, NAME, {
      channelCount: 2,
      channelCountMode: 'clamped-max',
      outputChannelCount: [1],
    });
    node.port.onmessage = ({ data }: MessageEvent<[Float32Array, Float32Array]>) => onSound(...data);
    // Only what is connected to the destination runs; the node's output is silence.
    source.connect(node).connect(context.destination);
    // Without a gesture of the user it may wait forever.
    context.resume().catch(() => undefined);
    return {
      sampleRate: context.sampleRate,
      problem: () =>
        context.state === 'running'
          ? null
          : `the AudioContext is ${context.state}: call listen after a click or a key of the user`,
      close: async () => {
        node.port.onmessage = null;
        source.disconnect();
        node.disconnect();
        await context.close();
      },
    };
  } catch (error) {
    await context.close();
    throw error;
  }
}

async function addModule(context: AudioContext): Promise<void> {
  const url = URL.createObjectURL(new Blob([MODULE], { type: 'text/javascript' }));
  try {
    await context.audioWorklet.addModule(url);
  } catch (error) {
    throw new Error(
      "the page's AudioWorklet cannot be loaded: its Content-Security-Policy must allow blob: in script-src",
      {
        cause: error,
      },
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}
