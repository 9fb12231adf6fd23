// Writes into the page what of its text cannot be seen, and how high the page is. A test reads it from the DOM.
"use strict";

const MARGIN = 1; // CSS pixels

function background(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "rgb(255, 255, 255)";
}

// Returns why a box of text in an element is not visible, an empty text if it is.
function problem(element, box) {
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return "hidden";
  if (getComputedStyle(element).color === background(element)) return "the colour of its background";
  if (box.left < -MARGIN || box.right > document.documentElement.clientWidth + MARGIN) return "outside of the page";
  for (let one = element; one && one !== document.body; one = one.parentElement) {
    if (getComputedStyle(one).overflow === "visible") continue;
    const outer = one.getBoundingClientRect();
    if (box.left < outer.left - MARGIN || box.right > outer.right + MARGIN) return "cut at a side";
    if (box.top < outer.top - MARGIN || box.bottom > outer.bottom + MARGIN) return "cut above or below";
  }
  const top = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
  return top === null || element.contains(top) ? (top ? "" : "outside of the page") : "covered";
}

const problems = [];
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.tagName === "SCRIPT") continue;
  texts += 1;
  const range = document.createRange();
  range.selectNodeContents(walker.currentNode);
  const boxes = () => [...range.getClientRects()].filter((box) => box.width && box.height); // not the end of a line
  if (!boxes().length) problems.push([walker.currentNode.data, "not shown"]);
  for (let number = 0; number < boxes().length; number += 1) {
    window.scrollTo(0, boxes()[number].top + window.scrollY - 100);
    const why = problem(element, boxes()[number]);
    if (why) problems.push([walker.currentNode.data, why]);
  }
}
window.scrollTo(0, 0);
const height = Math.ceil(document.body.getBoundingClientRect().height);
document.documentElement.dataset.measured = JSON.stringify({ texts, problems, height });
