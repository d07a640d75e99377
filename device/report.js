const tip = document.createElement("div");
tip.id = "tip"; tip.hidden = true; document.body.append(tip);
document.addEventListener("pointermove", event => {
  const on = event.target.closest("[data-tip]");
  tip.hidden = !on;
  if (!on) return;
  tip.textContent = on.dataset.tip;
  tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8) + "px";
});
