/** Anything that shows a picture: its present frame is taken. A Blob is an image file. */
export type ImageInput =
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | Blob;

/** Bytes of a file. */
export type FileInput = Blob | ArrayBuffer | ArrayBufferView;

/** Names an example, for `removeExample`. */
export type ExampleId = number;

export interface LearnerOptions {
  /** Weights of another learner (`weights.safetensors` of a checkpoint, or what `train` gave). */
  weights?: FileInput;
  /** Part of the adapter's name, where there are several. */
  adapter?: string;
}

/** A class and how many examples it has. */
export interface ClassCount {
  label: string;
  examples: number;
}

/** What a learner is. */
export interface LearnerCard {
  name: string;
  network: string;
  trainedOn: string;
  steps: number;
  parameters: number;
  bytes: number;
  /** Height and width of what it looks at; other sizes are brought to it. */
  imageSize: [number, number];
}

export interface Prediction {
  /** The most probable class; null when the picture looks like none of them, or there is none. */
  label: string | null;
  /** The probability of `label`, or of no class. */
  confidence: number;
  /** The probability of each class that has an example; with `noneOfThese` they sum to one. */
  confidences: Record<string, number>;
  noneOfThese: number;
}

/** Settings of a run by their names in a configuration file, such as `{ training: { steps: 300 } }`. */
export interface TrainOptions {
  /** The configuration to begin with; `glyphs-protonet-lite` where none is named. */
  preset?: string;
  /** Ends the run after the present step; `train` then gives the weights so far. */
  signal?: AbortSignal;
  [section: string]: unknown;
}

/** What a run says. `event` names it; the other members depend on it. */
export type TrainEvent =
  | { event: "planned"; bytes: number; by_category: { category: string; bytes: number }[] }
  | { event: "started"; adapter: string; first_step: number; steps: number }
  | {
      event: "step";
      step: number;
      episodes: number;
      loss: number;
      accuracy: number;
      learning_rate: number;
      episodes_per_second: number;
      bytes_in_use: number;
      bytes_peak: number;
    }
  | { event: "validation"; step: number; loss: number; accuracy: number; interval: number; best: boolean }
  | { event: "finished"; step: number; seconds: number }
  | { event: string; [member: string]: unknown };

/** Learns classes from a few examples each. Pictures never leave the machine. */
export class Learner {
  private constructor();

  /** Loads a learner; the shipped one unless `weights` are given. Rejects where there is no WebGPU. */
  static create(options?: LearnerOptions): Promise<Learner>;

  /** The classes in the order in which they came. */
  readonly classes: ClassCount[];

  /** What the learner is and what it was trained on. */
  readonly card: LearnerCard;

  /** Adds a picture to a class, which it makes if need be, and learns it at once. */
  addExample(input: ImageInput, label: string): Promise<ExampleId>;

  /** Forgets an example; false if there is none of that number. */
  removeExample(id: ExampleId): boolean;

  /** Forgets a class with its examples; false if there is none of that name. */
  removeClass(label: string): boolean;

  /** Forgets everything. */
  clear(): void;

  /** What a picture shows. */
  predict(input: ImageInput): Promise<Prediction>;

  /** Classes, examples and weights as an `.inkling` file, which the app opens too. */
  export(): Promise<Blob>;

  /** Puts the classes of an `.inkling` file in place of the present ones. Rejects a damaged file and then changes nothing. */
  import(project: FileInput): Promise<void>;

  /** Meta-trains a new learner in this page, goes on with it, and gives its weights. */
  train(options?: TrainOptions, onEvent?: (event: TrainEvent) => void): Promise<Blob>;

  /** Lets go of the graphics device; the learner cannot be used any more. */
  dispose(): void;
}
