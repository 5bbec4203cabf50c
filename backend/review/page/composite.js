// Blend layers over the photo with the very numbers of backend/composition.py.

const FULL_WEIGHT = 255 * 100;

/** Blend `layers` over the photo.
 *
 * base: {width, height, channels, pixels}: the photo in 8 bit, with 1 to 4 channels.
 * layers: bottom first, of the backend's form; masks are no part of the picture.
 * views: by kind, {visible, opacity}: the opacity in per cent; above 100 it goes beyond the layer.
 * Returns ImageData of the photo's size.
 */
export function composite(base, layers, views) {
  const image = toImage(base);
  for (const layer of layers) {
    const view = views[layer.kind];
    if (layer.kind !== "mask" && view.visible && view.opacity > 0) {
      putLayer(image, layer, view.opacity);
    }
  }
  return image;
}

/** The photo by itself as ImageData. */
export function toImage({ width, height, channels, pixels }) {
  const image = new ImageData(width, height);
  const { data } = image;
  const isColor = channels >= 3;
  const hasAlpha = channels % 2 === 0;
  for (let from = 0, to = 0; to < data.length; from += channels, to += 4) {
    data[to] = pixels[from];
    data[to + 1] = pixels[isColor ? from + 1 : from];
    data[to + 2] = pixels[isColor ? from + 2 : from];
    data[to + 3] = hasAlpha ? pixels[from + channels - 1] : 255;
  }
  return image;
}

function putLayer(image, layer, opacity) {
  const { data, width } = image;
  const { pixels, mask, channels } = layer;
  const [green, blue] = channels >= 3 ? [1, 2] : [0, 0];
  for (let row = 0; row < layer.height; row++) {
    let to = ((layer.y + row) * width + layer.x) * 4;
    let at = row * layer.width;
    for (const end = at + layer.width; at < end; at++, to += 4) {
      const weight = (mask === null ? 255 : mask[at]) * opacity;
      if (weight === 0) continue;
      const from = at * channels;
      data[to] = mix(data[to], pixels[from], weight);
      data[to + 1] = mix(data[to + 1], pixels[from + green], weight);
      data[to + 2] = mix(data[to + 2], pixels[from + blue], weight);
    }
  }
}

function mix(below, above, weight) {
  // Exact for whole opacities; only the view while a slider moves goes above 100.
  const sum = below * (FULL_WEIGHT - weight) + above * weight;
  return Math.floor((sum + FULL_WEIGHT / 2) / FULL_WEIGHT);
}

/** A mask, {width, height, pixels}, as a veil: ImageData that is transparent where it is 0. */
export function veil(mask, [red, green, blue]) {
  const image = new ImageData(mask.width, mask.height);
  for (let at = 0, to = 0; at < mask.pixels.length; at++, to += 4) {
    image.data[to] = red;
    image.data[to + 1] = green;
    image.data[to + 2] = blue;
    image.data[to + 3] = mask.pixels[at];
  }
  return image;
}

/** Share of a layer's mask that is more than half set, of a picture with `count` pixels. */
export function shareOf(values, count) {
  let set = 0;
  for (const value of values) if (value >= 128) set++;
  return set / count;
}
