// Each figure.chart of a report holds its data as JSON, see chart.js.
document.querySelectorAll("figure.chart").forEach((figure) => chart(figure, JSON.parse(figure.querySelector("script").textContent)));

// Times in the local time of whoever looks.
document.querySelectorAll("time").forEach((time) => { time.textContent = new Date(time.dateTime).toLocaleString(); });

// Tables that a click on a heading sorts: numbers by size, the rest by letters; a second click turns them round.
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = [...table.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const value = (row) => row.cells[column].textContent.replace(/,/g, "");
      const rows = [...table.rows].slice(1).sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const both = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
        return (both ? x - y : x.localeCompare(y)) * (down ? -1 : 1);
      });
      rows.forEach((row) => row.parentNode.append(row));
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
});

document.querySelectorAll(".picture.network").forEach((picture) => { // where it is narrow, its numbers are small
  const button = document.createElement("button");
  button.className = "larger";
  const say = (enlarged) => {
    button.textContent = enlarged ? "Fit to the width" : "Larger";
    button.setAttribute("aria-pressed", enlarged);
  };
  button.addEventListener("click", () => say(picture.classList.toggle("enlarged")));
  say(false);
  picture.prepend(button);
});
