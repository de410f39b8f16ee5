// Small comforts; every page works without them.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form[data-submit-on-change]").forEach((form) => {
    form.addEventListener("change", (event) => {
      const sets = event.target.dataset.sets; // an option that decides another field too
      if (sets) form.elements[sets].value = event.target.selectedOptions[0].dataset[sets];
      form.requestSubmit();
    });
    form.querySelectorAll("input[type=range]").forEach((range) => {
      range.addEventListener("input", () => { range.closest("label").querySelector("output").value = range.value; });
    });
  });
  // One open sheet at a time; Escape and a click elsewhere close it.
  const sheets = () => document.querySelectorAll("details.who[open], details.receipt[open]");
  document.addEventListener("click", (event) => sheets().forEach((one) => { if (!one.contains(event.target)) one.open = false; }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    sheets().forEach((one) => { one.open = false; one.querySelector("summary").focus(); });
  });
});
