// Masks between the photo's full size and the size in which it is shown.
//
// A pixel of the full size belongs to the pixel of the small one in which its centre lies. The
// backend reduces by the same rule, so that a mask that was enlarged comes back as it was.

/** The first full-size pixel that belongs to each small one; at the end, the full length. */
export function starts(full, small) {
  return Array.from({ length: small + 1 }, (_, index) =>
    Math.max(0, Math.ceil((2 * index * full - small) / (2 * small))),
  );
}

/** The part of the small size that shows a box of the full one: {x0, y0, x1, y1}, end excluded. */
export function reducedBox(box, full, small) {
  const of = (at, from, to) => Math.floor(((2 * at + 1) * to) / (2 * from));
  return {
    x0: of(box.x0, full.width, small.width),
    y0: of(box.y0, full.height, small.height),
    x1: of(box.x1 - 1, full.width, small.width) + 1,
    y1: of(box.y1 - 1, full.height, small.height) + 1,
  };
}

/** Part of a mask in the small size: each pixel has the largest value of those it stands for. */
export function reduce(values, full, small, box) {
  const columns = starts(full.width, small.width);
  const rows = starts(full.height, small.height);
  const width = box.x1 - box.x0;
  const pixels = new Uint8Array(width * (box.y1 - box.y0));
  for (let y = box.y0; y < box.y1; y++) {
    for (let row = rows[y]; row < rows[y + 1]; row++) {
      let to = (y - box.y0) * width;
      let at = row * full.width + columns[box.x0];
      for (let x = box.x0; x < box.x1; x++, to++) {
        for (const end = row * full.width + columns[x + 1]; at < end; at++) {
          if (values[at] > pixels[to]) pixels[to] = values[at];
        }
      }
    }
  }
  return { width, height: box.y1 - box.y0, pixels };
}

/** One row of a small mask at the full width. */
export function enlargeRow(pixels, row, small, columns, target) {
  for (let x = 0; x < small.width; x++) {
    target.fill(pixels[row * small.width + x], columns[x], columns[x + 1]);
  }
}
