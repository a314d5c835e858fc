// A dial that follows the number field inside it. Without this script the field stands there alone.
customElements.define("gallery-dial", class extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input[type=number]");
    if (!field || this.querySelector("svg")) return;
    this.insertAdjacentHTML("afterbegin", `<svg viewBox="0 0 100 56" aria-hidden="true" data-own>
      <path d="M8 50 A42 42 0 0 1 92 50" /><path d="M8 50 A42 42 0 0 1 92 50" pathLength="100" /></svg>`);
    const arc = this.querySelector("path:last-child");
    const turn = () => {
      const [low, high] = [Number(field.min), Number(field.max)];
      const share = Math.min(1, Math.max(0, (Number(field.value) - low) / (high - low)));
      arc.setAttribute("stroke-dasharray", `${share * 100} 100`);
    };
    field.addEventListener("input", turn);
    turn();
  }
});
