"use strict";
// A variance of the reader's own numbers, each operation rounded to a format, and the exact one. It loads nothing.
(() => {
  const root = document.getElementById("own-numbers");
  if (!root) return;
  const $ = (name) => root.querySelector(`[data-part="${name}"]`);

  // Digits of the significand and smallest exponent. float64 has more than twice these digits: rounding its results once
  // more gives what the format's own operation would.
  const FORMATS = { float16: [11, -14, 65504], bfloat16: [8, -126, (2 - 2 ** -7) * 2 ** 127], float32: [24, -126, (2 - 2 ** -23) * 2 ** 127] };
  const SCALE = 149n;

  function exponent(x) {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, x);
    return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
  }

  // To nearest, ties to even.
  function rounded(x, [digits, lowest, largest]) {
    if (!Number.isFinite(x) || x === 0) return x;
    const unit = 2 ** (Math.max(exponent(x), lowest) - digits + 1);
    const whole = Math.floor(x / unit), rest = x / unit - whole;
    const up = rest > 0.5 || (rest === 0.5 && whole % 2 !== 0);
    const found = (whole + (up ? 1 : 0)) * unit;
    return Math.abs(found) > largest ? Math.sign(found) * Infinity : found;
  }

  function naive(x, left, r) {
    let s = x[0], q = r(x[0] * x[0]);
    for (const value of x.slice(1)) {
      q = r(q + r(value * value));
      s = r(s + value);
    }
    return r(r(q - r(r(s * s) / x.length)) / left);
  }

  function twoPass(x, left, r) {
    const mean = r(x.reduce((s, value) => r(s + value), 0) / x.length);
    const m2 = x.reduce((sum, value) => { const d = r(value - mean); return r(sum + r(d * d)); }, 0);
    return r(m2 / left);
  }

  // In whole numbers: every stored value is one of 2^-149 and above.
  function exact(x, left) {
    const whole = x.map((value) => BigInt(value * 2 ** 100 * 2 ** 49));
    const n = BigInt(x.length), sum = whole.reduce((a, b) => a + b, 0n);
    const squares = whole.reduce((a, b) => a + b * b, 0n);
    const above = n * squares - sum * sum, below = (n * BigInt(left)) << (2n * SCALE);
    if (above === 0n) return 0;
    // Sixty-four bits of the quotient are more than a number shows.
    const shift = BigInt(Math.max(0, 64 - above.toString(2).length + below.toString(2).length));
    return (Number((above << shift) / below) / 2 ** Number(shift / 2n)) / 2 ** Number(shift - shift / 2n);
  }

  const shown = (v) => (Number.isNaN(v) ? "NaN" : Number.isFinite(v) ? String(Number(v.toPrecision(7))).replace("-", "−") : v > 0 ? "∞" : "−∞");

  function draw() {
    const given = $("values").value.split(/[\s,;]+/).filter(Boolean).map(Number);
    const correction = Number($("divisor").value), format = FORMATS[$("format").value];
    const r = (v) => rounded(v, format), x = given.map(r), left = x.length - correction;
    const problem = given.some(Number.isNaN) ? "Not all of these are numbers." : left < 1 ? "Too few numbers." : x.length > 1000 ? "At most 1,000 numbers." : "";
    const whole = !problem && x.every(Number.isFinite);
    $("naive").textContent = problem ? "–" : shown(naive(x, left, r));
    $("two_pass").textContent = problem ? "–" : shown(twoPass(x, left, r));
    $("exact").textContent = whole ? shown(exact(x, left)) : "–";
    $("problem").textContent = problem || (whole ? "" : "A number is outside the format.");
  }

  root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  root.addEventListener("input", draw);
  root.hidden = false;
  draw();
})();
