// High water comes every 12 hours and 25 minutes or so.
const PERIOD = (12 * 60 + 25) * 60 * 1000;
const next = new Date(Math.ceil(Date.now() / PERIOD) * PERIOD);
const element = document.querySelector("#next");
element.dateTime = next.toISOString();
element.textContent = next.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
