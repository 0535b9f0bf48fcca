// The camera and the microphone.

/** Camera and microphone, or the one of them that there is. Throws a DOMException (see `explainProblem`), or an Error without https. */
export async function openStream(): Promise<MediaStream> {
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (devices === undefined)
    throw new Error('Camera and microphone need https: open this page by https, or from localhost.');
  // Processing made for speech would take away what tells places apart.
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await devices.getUserMedia({ audio, video: true });
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotFoundError') throw error;
    return devices.getUserMedia({ audio }).catch(() => devices.getUserMedia({ video: true }));
  }
}
