// Values that the two small networks behind a norm's scale and shift have in their hidden layer.
const HIDDEN = 64u;
