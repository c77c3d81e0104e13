// Pictures from a camera, which runs only while its panel is shown.
import { release } from "/inputs.js";

const WHY = {
  NotAllowedError: "The browser denied access to the camera.",
  NotFoundError: "No camera found.",
  NotReadableError: "Another program is using the camera.",
};

// Calls take(picture, name) for each picture that is taken.
export function connectCamera(take) {
  const video = document.getElementById("video");
  const start = document.getElementById("camera-start");
  const shoot = document.getElementById("camera-take");
  const note = document.getElementById("camera-note");
  let stream;

  function stop() {
    stream?.getTracks().forEach(track => track.stop());
    stream = undefined;
    video.srcObject = null;
    shoot.disabled = true;
    start.textContent = "Start the camera";
  }
  start.addEventListener("click", async () => {
    if (stream) return stop();
    if (!navigator.mediaDevices) {
      note.textContent = "Browsers allow the camera only on pages from this computer (127.0.0.1) or over HTTPS.";
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = stream;
      await video.play();
      shoot.disabled = false;
      start.textContent = "Stop the camera";
    } catch (error) {
      stop();
      note.textContent = WHY[error.name] ?? `The camera failed: ${error.message}`;
    }
  });
  shoot.addEventListener("click", () => {
    const frame = document.createElement("canvas");
    frame.width = video.videoWidth;
    frame.height = video.videoHeight;
    frame.getContext("2d").drawImage(video, 0, 0);
    release();
    frame.toBlob(picture => take(picture, "Camera picture"), "image/jpeg", 0.92);
  });
  return { stop };
}
