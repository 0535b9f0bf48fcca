// Identifies the format of a file by its first bytes, never by its name.
import type { CheckpointFormat } from './checkpoint.ts';
import type { ByteSource } from './source.ts';

/** Number of bytes that are examined. The magic of a tar ends at 263. */
const HEAD_BYTES = 1024;

const HDF5_SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** Magic number of PyTorch's legacy files: the pickled integer 0x1950a86a20f9469cfc6c in little-endian. */
const TORCH_MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/** Latest position of the magic number: a pickle may begin with its protocol and the length of a frame. */
const TORCH_MAGIC_LATEST = 11;

const REFETCH = 'fetch the file again';

/** Files that are mistaken for checkpoints: magic, its position, the kind of file, and what to do. */
const OTHERS: readonly (readonly [bytes: string, at: number, what: string, wayOut: string])[] = [
  ['ustar', 257, 'a tar archive', 'unpack it and name the file inside'],
  ['\x1f\x8b', 0, 'compressed by gzip', 'decompress it first (gunzip)'],
  ['BZh', 0, 'compressed by bzip2', 'decompress it first (bunzip2)'],
  ['\xfd7zXZ\0', 0, 'compressed by xz', 'decompress it first (unxz)'],
  ['(\xb5/\xfd', 0, 'compressed by zstd', 'decompress it first (unzstd)'],
  ['7z\xbc\xaf\x27\x1c', 0, 'a 7z archive', 'unpack it and name the file inside'],
  ['Rar!', 0, 'a RAR archive', 'unpack it and name the file inside'],
  ['version https://git-lfs', 0, 'a Git LFS pointer instead of the file', 'run git lfs pull'],
  ['\x93NUMPY', 0, 'a NumPy array (.npy), which has no names', 'save a state dict instead'],
  ['GGUF', 0, 'a GGUF file', 'save the weights as safetensors'],
  ['TFL3', 4, 'a TensorFlow Lite model', 'save the weights as safetensors'],
  ['\x89PNG', 0, 'a PNG picture', 'name the file of the weights'],
  ['\xff\xd8\xff', 0, 'a JPEG picture', 'name the file of the weights'],
  ['%PDF', 0, 'a PDF document', 'name the file of the weights'],
];

/**
 * The format of a checkpoint. Throws an Error of one sentence if the format is not supported, with the kind of file if it is
 * known, or else the first bytes.
 */
export async function identifyCheckpoint(source: ByteSource): Promise<CheckpointFormat> {
  if (source.size === 0) {
    throw new Error(`the file is empty, as a download or a copy that failed leaves it: ${REFETCH}`);
  }
  const head = await source.read(0, Math.min(HEAD_BYTES, source.size));
  // Checked first, because the length of its JSON may equal another magic. The length is below 2^32 in all real files.
  if (matches(head, [0, 0, 0, 0, 0x7b], 4)) return 'safetensors';
  if (matches(head, [0x50, 0x4b, 0x03, 0x04], 0)) return 'torch-zip';
  for (let at = 0; at <= TORCH_MAGIC_LATEST; at++) if (matches(head, TORCH_MAGIC, at)) return 'torch-legacy';
  if ((await hdf5Start(source)) !== undefined) return 'keras-hdf5';
  const other = otherKind(head);
  if (other !== undefined) throw new Error(other);
  const bytes = [...head.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new Error(
    `not a checkpoint of a kind that is read (safetensors, PyTorch, Keras HDF5): its first bytes are ${bytes}`,
  );
}

/** Position of the HDF5 signature: 0, or 512, 1024, 2048 and so on after a user block; undefined if there is none. */
export async function hdf5Start(source: ByteSource): Promise<number | undefined> {
  for (let at = 0; at + HDF5_SIGNATURE.length <= source.size; at = at === 0 ? 512 : at * 2) {
    if (matches(await source.read(at, at + HDF5_SIGNATURE.length), HDF5_SIGNATURE, 0)) return at;
  }
  return undefined;
}

function otherKind(head: Uint8Array): string | undefined {
  for (const [bytes, at, what, wayOut] of OTHERS) {
    if (
      matches(
        head,
        Array.from(bytes, (char) => char.charCodeAt(0)),
        at,
      )
    )
      return `the file is ${what}: ${wayOut}`;
  }
  const text = new TextDecoder('latin1').decode(head.subarray(0, 256)).replace(/^\xef\xbb\xbf/, '');
  if (/^\s*<(!doctype html|html|head|\?xml)/i.test(text)) {
    return `the file is a page of the web, as a failed download leaves it, and not a checkpoint: ${REFETCH}`;
  }
  if (isOnnx(head)) return 'the file is an ONNX model: name the checkpoint that it was made from';
  if (head[0] === 0x80 && (head[1] ?? 6) <= 5) {
    return 'the file is a Python pickle that torch.save did not write: load it where it comes from and torch.save its state dict';
  }
  return undefined;
}

/** ir_version (field 1), then producer_name (field 2, text), then another field of ModelProto. */
function isOnnx(head: Uint8Array): boolean {
  const [first, version = 0, second, length = 0] = head;
  if (first !== 0x08 || version < 1 || version > 30 || second !== 0x12 || length < 1 || length > 60)
    return false;
  const name = head.subarray(4, 4 + length);
  const next = head[4 + length];
  return (
    name.every((byte) => byte >= 0x20 && byte < 0x7f) && (next === 0x1a || next === 0x22 || next === 0x3a)
  );
}

function matches(head: Uint8Array, bytes: readonly number[], at: number): boolean {
  return bytes.every((byte, i) => head[at + i] === byte);
}
