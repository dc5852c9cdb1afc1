"use strict";
const said = document.getElementById("said");
const buttons = [...document.querySelectorAll("button[data-copies]")];
const words = new Map(buttons.map((button) => [button, button.textContent]));
for (const button of buttons) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    for (const other of buttons) other.textContent = words.get(other);
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim() + "\n");
      button.textContent = "copied";
    } catch {
      button.textContent = "select it and copy by hand";
    }
    said.textContent = button.textContent;
  });
}
