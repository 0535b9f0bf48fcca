/** The numbers behind WebGPU's flags: Node.js has no global GPUBufferUsage to take them from. */
export const BufferUsage = {
  MAP_READ: 0x01,
  COPY_SRC: 0x04,
  COPY_DST: 0x08,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;

export const TextureUsage = {
  COPY_SRC: 0x01,
  COPY_DST: 0x02,
  TEXTURE_BINDING: 0x04,
  RENDER_ATTACHMENT: 0x10,
} as const;

export const MAP_MODE_READ = 0x1;

export const SHADER_STAGE_FRAGMENT = 0x2;
export const SHADER_STAGE_COMPUTE = 0x4;
