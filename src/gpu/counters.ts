/** What a Gpu has made and done so far; two snapshots tell whether a loop creates anything it should reuse. */
export interface Counts {
  buffersCreated: number;
  texturesCreated: number;
  bindGroupsCreated: number;
  pipelinesCreated: number;
  shaderModulesCreated: number;
  submits: number;
  dispatches: number;
  /** Copies of tensors from buffer to buffer by the engine, and their bytes; readbacks do not count. */
  copies: number;
  bytesCopied: number;
  /** Bytes in live buffers, staging included, and in the engine's own textures. */
  bytesHeld: number;
  /** Largest bytesHeld so far. */
  bytesPeak: number;
}

export class Counters implements Counts {
  buffersCreated = 0;
  texturesCreated = 0;
  bindGroupsCreated = 0;
  pipelinesCreated = 0;
  shaderModulesCreated = 0;
  submits = 0;
  dispatches = 0;
  copies = 0;
  bytesCopied = 0;
  bytesHeld = 0;
  bytesPeak = 0;

  addCopy(bytes: number): void {
    this.copies++;
    this.bytesCopied += bytes;
  }

  addBuffer(bytes: number): void {
    this.buffersCreated++;
    this.#hold(bytes);
  }

  addTexture(bytes: number): void {
    this.texturesCreated++;
    this.#hold(bytes);
  }

  #hold(bytes: number): void {
    this.bytesHeld += bytes;
    this.bytesPeak = Math.max(this.bytesPeak, this.bytesHeld);
  }

  /** Of a buffer or a texture that is no more. */
  remove(bytes: number): void {
    this.bytesHeld -= bytes;
  }

  snapshot(): Counts {
    return {
      buffersCreated: this.buffersCreated,
      texturesCreated: this.texturesCreated,
      bindGroupsCreated: this.bindGroupsCreated,
      pipelinesCreated: this.pipelinesCreated,
      shaderModulesCreated: this.shaderModulesCreated,
      submits: this.submits,
      dispatches: this.dispatches,
      copies: this.copies,
      bytesCopied: this.bytesCopied,
      bytesHeld: this.bytesHeld,
      bytesPeak: this.bytesPeak,
    };
  }

  /** What happened since `before` (bytesPeak: how much the peak rose). */
  since(before: Counts): Counts {
    return {
      buffersCreated: this.buffersCreated - before.buffersCreated,
      texturesCreated: this.texturesCreated - before.texturesCreated,
      bindGroupsCreated: this.bindGroupsCreated - before.bindGroupsCreated,
      pipelinesCreated: this.pipelinesCreated - before.pipelinesCreated,
      shaderModulesCreated: this.shaderModulesCreated - before.shaderModulesCreated,
      submits: this.submits - before.submits,
      dispatches: this.dispatches - before.dispatches,
      copies: this.copies - before.copies,
      bytesCopied: this.bytesCopied - before.bytesCopied,
      bytesHeld: this.bytesHeld - before.bytesHeld,
      bytesPeak: this.bytesPeak - before.bytesPeak,
    };
  }
}
