// Steps that more than one test takes in the tab Meta-train.

/** Starts the run that the tab proposes, generated characters, and waits for its first steps. */
export async function startTraining(visit, steps = 1) {
  await visit.click("Meta-train", { role: "Tab" });
  await visit.click("Start", { seconds: 30 });
  return visit.until(`${steps} steps are done`, ({ train }) => train.run?.step >= steps, 300);
}

/** Waits until the run in the tab Meta-train does what `word` says. */
export async function untilPhase(visit, word, seconds = 60) {
  return visit.until(`the run is ${word}`, ({ train }) => train.run?.phase === word, seconds);
}
