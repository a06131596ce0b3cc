/** The texts whose contrast with their ground is below 4.5, what WCAG 2.2 (AA) asks of small text. */
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r, g, b].map((x, i) => (x * a + [R, G, B][i] * (255 - a)) / 255);
  const ground = (element) => {
    const above = [];
    for (let e = element; e; e = e.parentElement) above.unshift(rgb(getComputedStyle(e).backgroundColor));
    return above.reduce((below, colour) => over(colour, below), [255, 255, 255]);
  };
  const light = (colour) =>
    colour
      .map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
      .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (
      !texts.currentNode.data.trim() ||
      !element.checkVisibility() ||
      element.closest("svg, :disabled, .later, .hidden, title")
    )
      continue;
    const below = ground(element);
    const [a, b] = [light(over(rgb(getComputedStyle(element).color), below)), light(below)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5)
      found.push(`${texts.currentNode.data.trim()}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return found;
};
