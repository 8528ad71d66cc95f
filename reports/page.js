// Draws the figures of the page and lets its table of trials be sorted and paged.
"use strict";

// No button may send the data away: plotly has one that does, and shows it unless told not to.
const SETTINGS = {
  showSendToCloud: false,
  plotlyServerURL: "",
  responsive: true,
  displaylogo: false,
  displayModeBar: "hover",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};
const ROWS_PER_PAGE = 25;

for (const source of document.querySelectorAll("script[data-plot]")) {
  const figure = JSON.parse(source.textContent);
  Plotly.newPlot(source.dataset.plot, figure.data, figure.layout, SETTINGS);
}

// A page without trials, such as that of a comparison, has no such table.
const table = document.getElementById("trial-table");
const pager = document.querySelector(".pager");
let rows = table ? Array.from(table.tBodies[0].rows) : [];
let page = 0;

function showPage() {
  const pages = Math.max(1, Math.ceil(rows.length / ROWS_PER_PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  const first = page * ROWS_PER_PAGE;
  table.tBodies[0].replaceChildren(...rows.slice(first, first + ROWS_PER_PAGE));
  const [previous, next] = pager.querySelectorAll("button");
  previous.disabled = page === 0;
  next.disabled = page === pages - 1;
  pager.querySelector("span").textContent = `page ${page + 1} of ${pages}`;
  pager.hidden = pages === 1;
}

function compareCells(one, other) {
  // Cells without a number come last among numbers, whichever way they are sorted.
  const numbers = [one.dataset.key, other.dataset.key];
  if (numbers.every((key) => key !== undefined)) return Number(numbers[0]) - Number(numbers[1]);
  return one.textContent.localeCompare(other.textContent);
}

function sortBy(column) {
  const head = table.tHead.rows[0].cells[column];
  const falling = head.getAttribute("aria-sort") === "ascending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const numeric = rows.some((row) => row.cells[column].dataset.key !== undefined);
  const known = rows.filter((row) => !numeric || row.cells[column].dataset.key !== undefined);
  const unknown = rows.filter((row) => numeric && row.cells[column].dataset.key === undefined);
  known.sort((one, other) => compareCells(one.cells[column], other.cells[column]) * (falling ? -1 : 1));
  rows = [...known, ...unknown];
  page = 0;
  showPage();
}

if (table) {
  table.tHead.rows[0].querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => sortBy(button.closest("th").cellIndex));
  });
  pager.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      page += Number(button.dataset.step);
      showPage();
    });
  });
  showPage();
}
document.documentElement.dataset.ready = "true";
