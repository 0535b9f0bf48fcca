declare module 'node-wav' {
  const nodeWav: {
    decode(bytes: Uint8Array): { sampleRate: number; channelData: Float32Array[] };
    encode(
      channels: readonly Float32Array[],
      options: { sampleRate: number; bitDepth: number; float?: boolean },
    ): Uint8Array;
  };
  export default nodeWav;
}
