// The frames of a stream, by a video element that is not shown.

/** Calls `onFrame` with the time of each frame in ms of `performance.now()`, and what reads its pixels. Returns how to stop. */
export async function tapPictures(
  track: MediaStreamTrack,
  onFrame: (time: number, read: () => ImageData) => void,
): Promise<() => void> {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no 2D canvas to read pictures with');
  const read = (): ImageData => {
    const { videoWidth: width, videoHeight: height } = video;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.drawImage(video, 0, 0);
    return context.getImageData(0, 0, width, height);
  };
  let request = 0;
  const onVideoFrame: VideoFrameRequestCallback = (now, { captureTime }) => {
    request = video.requestVideoFrameCallback(onVideoFrame);
    if (video.videoWidth > 0) onFrame(captureTime ?? now, read);
  };
  request = video.requestVideoFrameCallback(onVideoFrame);
  const stop = (): void => {
    video.cancelVideoFrameCallback(request);
    video.pause();
    video.srcObject = null;
  };
  try {
    await video.play();
  } catch (error) {
    stop();
    throw new Error("the stream's pictures cannot be played in this page", { cause: error });
  }
  return stop;
}
