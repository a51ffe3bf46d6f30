"use strict";
(function () {
  var tools = document.getElementById("tools");
  var list = document.getElementById("tenants");
  if (!tools || !list) return;
  var all = Array.prototype.slice.call(list.children);
  var text = document.getElementById("filter");
  var only = document.getElementById("only");
  var order = document.getElementById("order");
  var shown = document.getElementById("shown");

  function number(e, name) { return Number(e.getAttribute("data-" + name)); }

  function filter() {
    var wanted = text.value.trim().toLowerCase();
    var count = 0;
    all.forEach(function (e) {
      var hit = e.getAttribute("data-name").toLowerCase().indexOf(wanted) >= 0 &&
        (only.value === "all" || number(e, only.value) > 0);
      e.hidden = !hit;
      if (hit) count++;
    });
    shown.textContent = count + " of " + all.length + " shown";
  }

  function sort() {
    var by = order.value;
    all.sort(function (a, b) {
      var d = by === "name" ? 0 :
        number(b, "broken") - number(a, "broken") || number(b, "unknown") - number(a, "unknown");
      return d || number(a, "place") - number(b, "place");
    });
    var part = document.createDocumentFragment();
    all.forEach(function (e) { part.appendChild(e); });
    list.appendChild(part);
  }

  function openAll(open) {
    all.forEach(function (e) { if (!e.hidden) e.open = open; });
  }

  function openTarget() {
    var e = location.hash && document.getElementById(location.hash.slice(1));
    if (!e || e.tagName !== "DETAILS") return;
    if (e.hidden) { text.value = ""; only.value = "all"; filter(); }
    e.open = true;
    e.scrollIntoView();
  }

  text.addEventListener("input", filter);
  only.addEventListener("change", filter);
  order.addEventListener("change", sort);
  document.getElementById("open").addEventListener("click", function () { openAll(true); });
  document.getElementById("close").addEventListener("click", function () { openAll(false); });
  window.addEventListener("hashchange", openTarget);
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open]):not(.quiet)").forEach(function (e) {
      e.open = true;
      e.setAttribute("data-printed", "");
    });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-printed]").forEach(function (e) {
      e.open = false;
      e.removeAttribute("data-printed");
    });
  });
  tools.hidden = false;
  filter();
  openTarget();
})();
