import { ALL_FORMATS, FilePathSource, Input, VideoSampleSink, AudioSampleSink, VideoSample, Output, Mp4OutputFormat, BufferTarget, VideoSampleSource, canEncodeVideo } from 'mediabunny';
import { registerMediabunnyServer } from '@mediabunny/server';
import { readdirSync, writeFileSync } from 'node:fs';
registerMediabunnyServer({ hardwareContext: null });
const files = process.argv.slice(2);
for (const f of files) {
  const input = new Input({ source: new FilePathSource(f), formats: ALL_FORMATS });
  try {
  const v = await input.getPrimaryVideoTrack(); const a = await input.getPrimaryAudioTrack();
  console.log(f, v && [await v.getCodec(), await v.getDisplayWidth(), await v.getDisplayHeight(), await v.getRotation?.(), await v.computeDuration(), (await v.computePacketStats(60))], a && [await a.getCodec(), await a.getSampleRate(), await a.getNumberOfChannels(), await a.computeDuration(), await a.getFirstTimestamp()]);
  if (v) {
    const t0 = performance.now();
    const sink = new VideoSampleSink(v, { hardwareAcceleration: 'prefer-software' });
    const ts: number[] = []; const d = await v.computeDuration();
    for (let s = 0; s < Math.floor(d + 1e-3); s++) ts.push(s, s + 14/30);
    const got: unknown[] = []; let t = 0;
    for await (const x of sink.samplesAtTimestamps(ts)) { got.push(x?.timestamp.toFixed(3)); if (x) {
      const t1 = performance.now();
      const y = await x.transform({ width: 256, height: 256, fit: 'fill' });
      if (got.length===1) console.log(x.format, y.format, x.colorSpace.toJSON());
      const buf = new Uint8Array(y.allocationSize({ format: 'RGBA' })); await y.copyTo(buf, { format: 'RGBA' }); t += performance.now() - t1; y.close(); x.close(); } }
    console.log('video', performance.now() - t0, 'transform', t, got.join(' '));
  }
  if (a) { let n = 0; const t0 = performance.now(); let first; for await (const s of new AudioSampleSink(a).samples()) { first ??= s.timestamp; n += s.numberOfFrames; s.close(); } console.log('audio', n, first, performance.now() - t0); }
  } catch (e) { console.log('ERR', f, String(e)); } finally { input.dispose(); }
}
for (const c of ['avc','vp9','vp8','av1','hevc'] as const) console.log(c, await canEncodeVideo(c, { width: 128, height: 128 }));
for (const [codec, S, fps] of [['avc', 112, 30], ['avc', 96, 30]] as const) {
  const outs: Uint8Array[] = [];
  for (let k = 0; k < 2; k++) {
  const t0 = performance.now();
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat(), target });
  const src = new VideoSampleSource({ codec, bitrate: 300_000, keyFrameInterval: 1, hardwareAcceleration: 'prefer-software' });
  output.addVideoTrack(src, { frameRate: fps });
  await output.start();
  const rgba = new Uint8Array(S * S * 4);
  for (let i = 0; i < fps * 10; i++) {
    for (let p = 0; p < S * S; p++) { rgba[4*p] = (p + 3 * i) & 255; rgba[4*p+1] = ((p / S) * 2) & 255; rgba[4*p+2] = (p * 7 + i) & 63; rgba[4*p+3] = 255; }
    const s = new VideoSample(rgba, { format: 'RGBX', codedWidth: S, codedHeight: S, timestamp: i / fps, duration: 1 / fps });
    await src.add(s); s.close();
  }
  await output.finalize();
  outs.push(new Uint8Array(target.buffer!));
  console.log('encode', codec, S, performance.now() - t0, outs[k]!.length);
  }
  console.log('same bytes', Buffer.compare(outs[0]!, outs[1]!) === 0);
}
