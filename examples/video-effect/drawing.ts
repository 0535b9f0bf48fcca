/** A scene that moves, for when there is no camera. `time` is in seconds. */
export function drawScene(canvas: HTMLCanvasElement, time: number): void {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('this browser draws no canvas');
  const { width, height } = canvas;
  context.fillStyle = '#234';
  context.fillRect(0, 0, width, height);
  for (let i = 0; i < 5; i++) {
    const angle = time * (0.4 + 0.2 * i) + i;
    context.fillStyle = `hsl(${72 * i} 80% 60%)`;
    context.beginPath();
    context.arc(
      width * (0.5 + 0.35 * Math.cos(angle)),
      height * (0.5 + 0.35 * Math.sin(1.3 * angle)),
      height / 8,
      0,
      2 * Math.PI,
    );
    context.fill();
  }
}
