// QR codes (ISO/IEC 18004), as far as links need them: bytes, error correction level L, versions
// 1 to 10.

/** For each version: error correction bytes per block, and data bytes of each block. */
const BLOCKS = [
  [7, [19]], [10, [34]], [15, [55]], [20, [80]], [26, [108]], [18, [68, 68]],
  [20, [78, 78]], [24, [97, 97]], [30, [116, 116]], [18, [68, 68, 69, 69]],
];

/** Centres of the alignment patterns of each version. */
const ALIGNMENTS = [
  [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50],
];

const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** The code for a text as rows of booleans, true for dark; null if the text is too long. */
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex(([, blocks], index) => {
    const lengthBits = index < 9 ? 8 : 16;
    return 4 + lengthBits + bytes.length * 8 <= sum(blocks) * 8;
  }) + 1;
  if (version === 0) return null;
  const codewords = interleave(dataOf(bytes, version), version);
  const candidates = MASKS.map((_, mask) => draw(codewords, version, mask));
  const penalties = candidates.map(penalty);
  return candidates[penalties.indexOf(Math.min(...penalties))];
}

/** The bits of the text, padded to the version's capacity, in bytes. */
function dataOf(bytes, version) {
  const bits = [];
  const put = (value, count) => {
    for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const capacity = sum(BLOCKS[version - 1][1]) * 8;
  put(0, Math.min(4, capacity - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  for (let pad = 0xec; bits.length < capacity; pad ^= 0xec ^ 0x11) put(pad, 8);
  const data = [];
  for (let at = 0; at < bits.length; at += 8) {
    data.push(bits.slice(at, at + 8).reduce((byte, bit) => byte * 2 + bit, 0));
  }
  return data;
}

/** Adds error correction, and interleaves the blocks byte by byte. */
function interleave(data, version) {
  const [correction, lengths] = BLOCKS[version - 1];
  const generator = generatorOf(correction);
  let at = 0;
  const blocks = lengths.map((length) => {
    const block = data.slice(at, at + length);
    at += length;
    return block;
  });
  const corrections = blocks.map((block) => remainder(block, generator));
  const mixed = [];
  for (let index = 0; index < Math.max(...lengths); index += 1) {
    for (const block of blocks) if (index < block.length) mixed.push(block[index]);
  }
  for (let index = 0; index < correction; index += 1) {
    for (const block of corrections) mixed.push(block[index]);
  }
  return mixed;
}

/** Multiplies in GF(2^8) with the polynomial 0x11d. */
function multiply(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

/** The coefficients of the generator polynomial of that degree, without the first. */
function generatorOf(degree) {
  const polynomial = Array(degree).fill(0);
  polynomial[degree - 1] = 1;
  let root = 1;
  for (let step = 0; step < degree; step += 1) {
    for (let index = 0; index < degree; index += 1) {
      polynomial[index] = multiply(polynomial[index], root) ^ (polynomial[index + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  return polynomial;
}

function remainder(data, generator) {
  const rest = Array(generator.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    generator.forEach((coefficient, index) => { rest[index] ^= multiply(coefficient, factor); });
  }
  return rest;
}

function draw(codewords, version, mask) {
  const size = version * 4 + 17;
  const modules = Array.from({ length: size }, () => Array(size).fill(null));
  const set = (x, y, dark) => { if (modules[y]?.[x] !== undefined) modules[y][x] = dark; };
  for (let index = 0; index < size; index += 1) {
    set(6, index, index % 2 === 0);
    set(index, 6, index % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const distance = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, distance !== 2 && distance !== 4);
      }
    }
  }
  const centres = ALIGNMENTS[version - 1];
  const end = centres.length - 1;
  centres.forEach((cy, row) => centres.forEach((cx, column) => {
    if ((row === 0 && column === 0) || (row === 0 && column === end) || (row === end && column === 0)) return;
    for (let dy = -2; dy <= 2; dy += 1) {
      for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
    }
  }));
  drawFormat(set, size, mask);
  if (version >= 7) drawVersion(set, size, version);
  fill(modules, codewords, mask);
  return modules;
}

/** The level (L) and the mask, with their BCH code, twice. */
function drawFormat(set, size, mask) {
  const data = (0b01 << 3) | mask;
  let rest = data;
  for (let step = 0; step < 10; step += 1) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
  const bits = ((data << 10) | rest) ^ 0x5412;
  const bit = (index) => ((bits >> index) & 1) === 1;
  for (let index = 0; index <= 5; index += 1) set(8, index, bit(index));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let index = 9; index < 15; index += 1) set(14 - index, 8, bit(index));
  for (let index = 0; index < 8; index += 1) set(size - 1 - index, 8, bit(index));
  for (let index = 8; index < 15; index += 1) set(8, size - 15 + index, bit(index));
  set(8, size - 8, true);
}

function drawVersion(set, size, version) {
  let rest = version;
  for (let step = 0; step < 12; step += 1) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
  const bits = (version << 12) | rest;
  for (let index = 0; index < 18; index += 1) {
    const dark = ((bits >> index) & 1) === 1;
    const [a, b] = [size - 11 + (index % 3), Math.floor(index / 3)];
    set(a, b, dark);
    set(b, a, dark);
  }
}

/** Places the bits in their zigzag on the free modules, under the mask. */
function fill(modules, codewords, mask) {
  const size = modules.length;
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let vertical = 0; vertical < size; vertical += 1) {
      const isUpward = ((right + 1) & 2) === 0;
      const y = isUpward ? size - 1 - vertical : vertical;
      for (const x of [right, right - 1]) {
        if (modules[y][x] !== null) continue;
        const byte = codewords[at >> 3] ?? 0;
        const dark = ((byte >> (7 - (at & 7))) & 1) === 1;
        modules[y][x] = dark !== MASKS[mask](x, y);
        at += 1;
      }
    }
  }
}

/** How hard a code is to read (section 7.8.3), as far as the mask matters. */
function penalty(modules) {
  const size = modules.length;
  let points = 0;
  const lines = [...modules, ...modules.map((_, x) => modules.map((row) => row[x]))];
  for (const line of lines) {
    for (const run of line.map(Number).join("").match(/0{5,}|1{5,}/gu) ?? []) points += run.length - 2;
    const padded = `0000${line.map(Number).join("")}0000`;
    points += 40 * (padded.match(/(?=10111010000|00001011101)/gu) ?? []).length;
  }
  for (let y = 0; y + 1 < size; y += 1) {
    for (let x = 0; x + 1 < size; x += 1) {
      const dark = modules[y][x];
      if (dark === modules[y][x + 1] && dark === modules[y + 1][x] && dark === modules[y + 1][x + 1]) points += 3;
    }
  }
  const dark = modules.flat().filter(Boolean).length;
  return points + 10 * Math.floor(Math.abs((dark * 20) / (size * size) - 10));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
