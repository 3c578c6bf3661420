// Never run: the compiler checks that the package can be used this way.

import { Learner, type ExampleId, type Prediction, type TrainEvent } from "../../../web/package/inkling";

export async function use(video: HTMLVideoElement, canvas: HTMLCanvasElement, file: File): Promise<Prediction> {
  const learner: Learner = await Learner.create();
  const id: ExampleId = await learner.addExample(video, "cup");
  await learner.addExample(canvas, "spoon");
  await learner.addExample(new ImageData(4, 4), "spoon");
  await learner.addExample(await createImageBitmap(file), "spoon");
  await learner.addExample(file, "spoon");
  const removed: boolean = learner.removeExample(id) || learner.removeClass("spoon");
  console.log(removed, learner.classes[0]?.examples, learner.card.imageSize[0]);
  const project: Blob = await learner.export();
  await learner.import(project);
  const controller = new AbortController();
  const settings = { preset: "glyphs-protonet-lite", training: { steps: 30 }, signal: controller.signal };
  const weights: Blob = await learner.train(settings, (event: TrainEvent) => {
    if (event.event === "step" && typeof event.loss === "number") {
      console.log(event.loss);
    }
  });
  const other = await Learner.create({ weights });
  other.clear();
  other.dispose();
  // @ts-expect-error A number is no picture.
  await learner.addExample(5, "cup");
  return learner.predict(video);
}
