// Generated photographs of a kind: an object of one shape and colour on a noisy ground, each time
// in another place, size and light.

import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const KINDS = ["balls", "boxes", "stars"];

/** Draws pictures in `page` and writes them as PNG files; gives the folder, with one folder per kind. */
export async function writePictures(page, perKind) {
  const root = await mkdtemp(join(tmpdir(), "inkling-pictures-"));
  for (const kind of KINDS) {
    await mkdir(join(root, kind));
    const pictures = await page.evaluate(drawAll, { kind, perKind });
    await Promise.all(
      pictures.map((base64, number) => writeFile(pictureFile(root, kind, number), Buffer.from(base64, "base64"))),
    );
  }
  return root;
}

/** Writes JPEG photos of twelve megapixels into `folder`; gives their paths. */
export async function writePhotos(page, folder, count) {
  await mkdir(folder, { recursive: true });
  const paths = [];
  for (let number = 0; number < count; number += 1) {
    const base64 = await page.evaluate(drawPhoto, number);
    paths.push(join(folder, `photo-${number}.jpg`));
    await writeFile(paths.at(-1), Buffer.from(base64, "base64"));
  }
  return paths;
}

/** Runs in the page. */
function drawPhoto(number) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [4000, 3000];
  const context = canvas.getContext("2d");
  for (let stripe = 0; stripe < 200; stripe += 1) {
    context.fillStyle = `hsl(${(37 * stripe + 90 * number) % 360} 60% ${30 + (stripe % 40)}%)`;
    context.fillRect(20 * stripe, 0, 20, 3000 - 7 * stripe);
  }
  return canvas.toDataURL("image/jpeg", 0.9).split(",")[1];
}

export function pictureFile(root, kind, number) {
  return join(root, kind, `${kind}-${String(number).padStart(2, "0")}.png`);
}

/** Runs in the page. The same pictures on every run: the random numbers have a seed. */
function drawAll({ kind, perKind }) {
  let state = 2463534242 + kind.length * 7919 + kind.charCodeAt(1);
  const random = (from, to) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return from + ((to - from) * (state >>> 0)) / 2 ** 32;
  };
  const hues = { balls: 0, boxes: 215, stars: 55 };
  const outlines = {
    balls: (context, size) => context.arc(0, 0, size, 0, 2 * Math.PI),
    boxes: (context, size) => context.rect(-size, -size, 2 * size, 2 * size),
    stars: (context, size) => {
      for (let point = 0; point < 10; point += 1) {
        const [angle, radius] = [(point * Math.PI) / 5, point % 2 ? 0.45 * size : 1.2 * size];
        context.lineTo(radius * Math.sin(angle), -radius * Math.cos(angle));
      }
    },
  };
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [160, 120];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return Array.from({ length: perKind }, () => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = `hsl(${random(0, 360)} 12% ${random(35, 65)}%)`;
    context.fillRect(0, 0, 160, 120);
    const ground = context.getImageData(0, 0, 160, 120);
    for (let index = 0; index < ground.data.length; index += 1) {
      ground.data[index] += index % 4 === 3 ? 0 : random(-20, 20);
    }
    context.putImageData(ground, 0, 0);
    context.translate(random(55, 105), random(45, 75));
    context.rotate(random(-0.3, 0.3));
    context.fillStyle = `hsl(${hues[kind] + random(-12, 12)} ${random(70, 95)}% ${random(42, 58)}%)`;
    context.beginPath();
    outlines[kind](context, random(26, 40));
    context.fill();
    return canvas.toDataURL("image/png").split(",")[1];
  });
}
