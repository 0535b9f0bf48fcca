import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/nn/checkpoint/open.ts';
import { writeSafetensors } from '../../../src/nn/checkpoint/safetensors/file.ts';
import { blobSource, bytesSource } from '../../../src/nn/checkpoint/source.ts';
import { writeKeras } from '../../support/keras_writer.ts';
import { joined, writeTorchLegacy, writeTorchZip, type TorchEntry } from '../../support/torch_writer.ts';
import { pickle } from '../../support/torch_writer_pickle.ts';

const data = new Float32Array([0, 0.5]);
const entries: TorchEntry[] = [{ name: 'layer/w', shape: [2], data }];
const latin1 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'latin1'));

/** A real tar: the name of its first file, and its mark at 257. */
function tar(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1024);
  bytes.set(latin1('model.pth'));
  bytes.set(latin1('ustar\x0000'), 257);
  return bytes;
}

describe('openCheckpoint', () => {
  const files: [string, () => Uint8Array | Promise<Uint8Array>][] = [
    ['safetensors', () => writeSafetensors(new Map([['layer/w', { shape: [2], data }]]))],
    ['torch-legacy', () => joined(writeTorchLegacy(entries))],
    ['torch-legacy', () => joined(writeTorchLegacy(entries, { protocol: 4 }))],
    ['torch-zip', () => joined(writeTorchZip(entries))],
    ['keras-hdf5', () => writeKeras(['layer'], 'earliest')],
  ];
  it.each(files)('tells %s by its bytes', async (format, make) => {
    const bytes = await make();
    for (const source of [bytesSource(bytes), blobSource(new Blob([new Uint8Array(bytes)]))]) {
      const file = await openCheckpoint(source);
      expect(file.format).toBe(format);
      expect([...file.tensors.keys()]).toEqual(['layer/w']);
      expect(await file.tensors.get('layer/w')?.read()).toEqual({ shape: [2], data });
    }
  });

  it('tells safetensors whose header is as long as the mark of another format', async () => {
    // 0x8b1f bytes of header: the file begins as gzip does.
    const name = 'n'.repeat(0x8b1f - '{"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.length);
    const json = latin1(`{"${name}":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`);
    const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
    expect([...length.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
    const file = await openCheckpoint(bytesSource(joined([length, json, new Uint8Array(8)])));
    expect([file.format, file.tensors.size]).toEqual(['safetensors', 1]);
  });

  const others: [string, Uint8Array<ArrayBuffer>, string][] = [
    ['an empty file', new Uint8Array(0), 'the file is empty, as a download or a copy that failed leaves it'],
    ['a tar', tar(), 'the file is a tar archive: unpack it and name the file inside'],
    ['gzip', new Uint8Array(gzipSync('x')), 'the file is compressed by gzip: decompress it first (gunzip)'],
    ['a page', latin1('\n<!DOCTYPE html><html>503 Service Unavailable'), 'the file is a page of the web'],
    [
      'an error of a storage service',
      latin1('<?xml version="1.0"?><Error>'),
      'the file is a page of the web',
    ],
    [
      'a Git LFS pointer',
      latin1('version https://git-lfs.github.com/spec/v1\noid sha256:0'),
      'run git lfs pull',
    ],
    ['a NumPy array', latin1('\x93NUMPY\x01\0v\0{}'), 'the file is a NumPy array (.npy), which has no names'],
    ['ONNX', latin1('\x08\x07\x12\x07pytorch\x1a\x042.0.'), 'the file is an ONNX model'],
    ['GGUF', latin1('GGUF\x03\0\0\0'), 'the file is a GGUF file'],
    ['a picture', latin1('\x89PNG\r\n\x1a\n'), 'the file is a PNG picture'],
    ['a pickle', new Uint8Array(pickle(new Map())), 'a Python pickle that torch.save did not write'],
    [
      'a zip of something else',
      latin1('PK\x03\x04' + '\0'.repeat(40)),
      'zip: it has no directory at its end',
    ],
    ['a few bytes', latin1('abc'), 'its first bytes are 61 62 63'],
    ['anything else', new Uint8Array(5000).fill(7), 'its first bytes are 07 07 07 07 07 07 07 07'],
  ];
  it.each(others)('says what %s is', async (_, bytes, message) => {
    await expect(openCheckpoint(bytesSource(bytes))).rejects.toThrow(message);
  });
});
