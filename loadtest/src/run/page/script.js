// Tells the values under the pointer. The charts are whole without it.
for (const figure of document.querySelectorAll("figure.chart")) {
  const svg = figure.querySelector("svg"), cursor = figure.querySelector(".cursor");
  const data = JSON.parse(figure.querySelector("script").textContent);
  const tip = figure.appendChild(document.createElement("div"));
  tip.className = "tip";
  const width = svg.viewBox.baseVal.width, left = +svg.dataset.left, right = +svg.dataset.right;
  const place = (x) => data.x === "nines" ? (100 * (1 - 10 ** -x)).toFixed(3) + " %" : x.toFixed(0) + " s";
  const value = (y) => y === null ? "–" : (y < 10 ? y.toFixed(2) : y < 100 ? y.toFixed(1) : y.toFixed(0)) + " " + data.unit;
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * width;
    const x = (at - left) / (width - left - right) * data.most;
    if (x < 0 || x > data.most) return;
    tip.replaceChildren(place(x));
    for (const line of data.lines) {
      const near = line.points.reduce((best, point) =>
        Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best, [Infinity, null]);
      const row = tip.appendChild(document.createElement("div"));
      const key = row.appendChild(document.createElement("span"));
      key.className = "key s" + line.colour;
      row.append(line.name + " " + value(near[1]));
    }
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.style.visibility = "visible";
    tip.style.display = "block";
    const over = event.clientX - figure.getBoundingClientRect().left;
    tip.style.left = Math.min(over + 14, figure.clientWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = "60px";
  });
  svg.addEventListener("pointerleave", () => { tip.style.display = "none"; cursor.style.visibility = "hidden"; });
}
