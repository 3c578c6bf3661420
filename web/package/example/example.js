import { Learner } from "../inkling.js";

const video = document.querySelector("video");
video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
const learner = await Learner.create();
for (const button of document.querySelectorAll("button")) {
  button.onclick = () => learner.addExample(video, button.textContent);
}
for (await video.play(); ; await new Promise(requestAnimationFrame)) {
  const { label, confidence } = await learner.predict(video);
  document.querySelector("output").value = `${label ?? "none of these"} ${Math.round(100 * confidence)} %`;
}
