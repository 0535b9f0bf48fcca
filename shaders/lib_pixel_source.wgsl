// The source picture: a texture or, with EXTERNAL, a frame of a video. Its alpha is passed over. With SRGB the texture has an -srgb
// format, whose linear values become encoded ones again.
//#if EXTERNAL
@group(1) @binding(0) var source: texture_external;
//#else
@group(1) @binding(0) var source: texture_2d<f32>;
//#endif

// A pixel of the crop.
fn source_pixel(x: u32, y: u32) -> Pixel {
  let at = vec2u(params.left + x, params.top + y);
//#if EXTERNAL
  let color = textureLoad(source, at).rgb;
//#else
  let color = textureLoad(source, at, 0).rgb;
//#endif
//#if BYTES
//#if SRGB
  return vec3u(clamp(encode_srgb(color), vec3f(0.0), vec3f(1.0)) * 255.0 + 0.5);
//#else
  return vec3u(clamp(color, vec3f(0.0), vec3f(1.0)) * 255.0 + 0.5);
//#endif
//#else
  return color;
//#endif
}

// False for a frame of another size than the caller said.
fn is_source_known() -> bool {
//#if EXTERNAL
  return all(textureDimensions(source) == vec2u(params.source_width, params.source_height));
//#else
  return true;
//#endif
}
