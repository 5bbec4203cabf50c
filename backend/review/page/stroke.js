// The pixels that a round brush covers on its way from one point to another.

// A longer way is cut, because the box around a slanting one is mostly empty.
const LONGEST = 256;

/** Call cover(x, y, share) for each pixel that the brush covers, share in (0, 1].
 *
 * from, to: {x, y} in pixels; the first one has its centre at (0.5, 0.5).
 * radius: of the brush, in pixels; the edge is one pixel soft.
 */
export function coverWay(from, to, radius, size, cover) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const pieces = Math.max(1, Math.ceil(length / LONGEST));
  const at = (share) => ({
    x: from.x + (to.x - from.x) * share,
    y: from.y + (to.y - from.y) * share,
  });
  for (let piece = 0; piece < pieces; piece++) {
    coverPiece(at(piece / pieces), at((piece + 1) / pieces), radius, size, cover);
  }
}

/** The box that holds all of these pixels: {x0, y0, x1, y1}, end excluded; it may be empty. */
export function boxOf(from, to, radius, { width, height }) {
  const reach = radius + 1;
  return {
    x0: Math.max(0, Math.floor(Math.min(from.x, to.x) - reach)),
    y0: Math.max(0, Math.floor(Math.min(from.y, to.y) - reach)),
    x1: Math.min(width, Math.ceil(Math.max(from.x, to.x) + reach)),
    y1: Math.min(height, Math.ceil(Math.max(from.y, to.y) + reach)),
  };
}

function coverPiece(from, to, radius, size, cover) {
  const box = boxOf(from, to, radius, size);
  const [alongX, alongY] = [to.x - from.x, to.y - from.y];
  const square = alongX ** 2 + alongY ** 2;
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      const [fromX, fromY] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = square === 0 ? 0 : (fromX * alongX + fromY * alongY) / square;
      const nearest = Math.min(Math.max(along, 0), 1);
      // Here Math.hypot would take most of the time.
      const distance = Math.sqrt((fromX - nearest * alongX) ** 2 + (fromY - nearest * alongY) ** 2);
      const share = Math.min(radius + 0.5 - distance, 1);
      if (share > 0) cover(x, y, share);
    }
  }
}
