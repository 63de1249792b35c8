// As generators write it: the developer's own machine, unless told otherwise.
const base = import.meta.env.VITE_API_URL || "http://localhost:8000";

async function show() {
  const notes = await (await fetch(`${base}/api/notes`)).json();
  for (const note of notes) {
    const item = document.createElement("li");
    item.textContent = note.text;
    document.querySelector("#notes").append(item);
  }
}

show();
