// The network behind the page: a server that answers requests.
export const STOPPED = {
  detail: "The server does not respond.",
  hint: "It may have been stopped: start it again with nin-cli serve.",
};

// Sends a request. Returns the JSON, or throws a problem (RFC 9457) to show.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw STOPPED;
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  throw content ?? { detail: `The server answered ${response.status}.`, hint: "" };
}

// Returns what the page shows of the network.
export const describe = () => ask("/v1/model");

// Classifies a picture. Returns the `top` most probable classes, or throws a problem to show.
export const classify = (picture, top) => ask(`/v1/predict?top=${top}`, { method: "POST", body: picture });

// Returns the address of a test image.
export const testImage = number => `/v1/gallery/${number}`;

// Returns a test image as a picture.
export async function loadTestImage(number) {
  try {
    return await (await fetch(testImage(number))).blob();
  } catch {
    throw STOPPED;
  }
}
