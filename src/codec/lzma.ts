// Decoder for .lzma files (LZMA1 with its 13-byte header), which old packages are compressed with and no library at
// hand decodes. Written from Igor Pavlov's "LZMA specification" (public domain): https://www.7-zip.org/sdk.html
// The output is its own dictionary. Speed hardly matters here, checks do.
import { collect, type ByteStream } from '../base/streams.ts';
import { cutOff, damaged, tooLarge, type DecodeOptions } from './failure.ts';

const HEADER_SIZE = 13;
const UNKNOWN_SIZE = 0xffffffffffffffffn;

/** Content of a .lzma stream. */
export async function* unlzma(
  source: ByteStream,
  options: DecodeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  // compressed data is never much larger than its content
  const input = await collect(source, {
    limit: options.limit + options.limit / 8 + 65536,
    what: options.what,
  });
  yield decodeLzma(input, options);
}

/** Content of .lzma bytes. */
export function decodeLzma(input: Uint8Array, options: DecodeOptions): Uint8Array {
  const { what, limit } = options;
  if (input.length < HEADER_SIZE) throw cutOff(what, 'lzma');
  const header = new DataView(input.buffer, input.byteOffset, HEADER_SIZE);
  const properties = header.getUint8(0);
  if (properties >= 9 * 5 * 5) throw damaged(what, 'the lzma header is invalid');
  const stated = header.getBigUint64(5, true);
  if (stated !== UNKNOWN_SIZE && stated > BigInt(limit)) throw tooLarge(options);
  const decoder = new LzmaDecoder(input.subarray(HEADER_SIZE), {
    lc: properties % 9,
    lp: Math.floor(properties / 9) % 5,
    pb: Math.floor(properties / 45),
    dictionarySize: Math.max(header.getUint32(1, true), 4096),
    size: stated === UNKNOWN_SIZE ? undefined : Number(stated),
    ...options,
  });
  return decoder.decode();
}

interface LzmaOptions extends DecodeOptions {
  readonly lc: number;
  readonly lp: number;
  readonly pb: number;
  readonly dictionarySize: number;
  /** Undefined when an end marker tells. */
  readonly size: number | undefined;
}

// Offsets of the probability tables in one array.
const STATES = 12;
const LENGTH_PROBS = 2 + 16 * 8 * 2 + 256;
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * 16;
const IS_REP0_LONG = IS_REP + STATES * 4;
const POS_SLOT = IS_REP0_LONG + STATES * 16;
const POS_SPECIAL = POS_SLOT + 4 * 64;
const POS_ALIGN = POS_SPECIAL + 115;
const MATCH_LENGTH = POS_ALIGN + 16;
const REP_LENGTH = MATCH_LENGTH + LENGTH_PROBS;
const LITERAL = REP_LENGTH + LENGTH_PROBS;
const END_MARKER = 0xffffffff;

class LzmaDecoder {
  readonly #input: Uint8Array;
  readonly #options: LzmaOptions;
  readonly #probs: Uint16Array;
  #at = 5;
  #range = 0xffffffff;
  #code: number;
  #output: Uint8Array;
  #size = 0;

  constructor(input: Uint8Array, options: LzmaOptions) {
    this.#input = input;
    this.#options = options;
    this.#probs = new Uint16Array(LITERAL + (0x300 << (options.lc + options.lp))).fill(1024);
    if (input.length < 5) throw cutOff(options.what, 'lzma');
    if (input[0] !== 0) throw damaged(options.what, 'the lzma data is damaged');
    this.#code = new DataView(input.buffer, input.byteOffset, 5).getUint32(1);
    this.#output = new Uint8Array(Math.min(options.size ?? Infinity, input.length * 8, options.limit));
  }

  decode(): Uint8Array {
    const { pb, size, what, dictionarySize } = this.#options;
    let state = 0;
    let rep0 = 0;
    let rep1 = 0;
    let rep2 = 0;
    let rep3 = 0;
    for (;;) {
      // with a stated size the end marker is optional
      if (this.#size === size && this.#finished) break;
      const posState = this.#size & ((1 << pb) - 1);
      const known = this.#size === size;
      if (this.#bit(IS_MATCH + state * 16 + posState) === 0) {
        if (known) throw damaged(what, 'the lzma data is longer than it says');
        this.#literal(state, rep0);
        state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
        continue;
      }
      let length: number;
      if (this.#bit(IS_REP + state) === 0) {
        rep3 = rep2;
        rep2 = rep1;
        rep1 = rep0;
        length = this.#length(MATCH_LENGTH, posState);
        rep0 = this.#distance(length);
        state = state < 7 ? 7 : 10;
        if (rep0 === END_MARKER) {
          if (size !== undefined && !known) throw damaged(what, 'the lzma data is shorter than it says');
          if (!this.#finished) throw damaged(what, 'the lzma data is damaged');
          break;
        }
      } else {
        if (this.#bit(IS_REP + STATES + state) === 0) {
          if (this.#bit(IS_REP0_LONG + state * 16 + posState) === 0) {
            state = state < 7 ? 9 : 11;
            this.#copy(rep0, 1);
            continue;
          }
        } else {
          let distance: number;
          if (this.#bit(IS_REP + STATES * 2 + state) === 0) distance = rep1;
          else {
            if (this.#bit(IS_REP + STATES * 3 + state) === 0) distance = rep2;
            else {
              distance = rep3;
              rep3 = rep2;
            }
            rep2 = rep1;
          }
          rep1 = rep0;
          rep0 = distance;
        }
        length = this.#length(REP_LENGTH, posState);
        state = state < 7 ? 8 : 11;
      }
      if (rep0 >= dictionarySize) throw damaged(what, 'the lzma data is damaged');
      this.#copy(rep0, length + 2);
    }
    if (this.#input.subarray(this.#at).some((byte) => byte !== 0))
      throw damaged(what, 'something other than lzma follows the lzma data');
    return this.#output.subarray(0, this.#size);
  }

  get #finished(): boolean {
    return this.#code === 0;
  }

  #literal(state: number, rep0: number): void {
    const { lc, lp } = this.#options;
    const previous = this.#size === 0 ? 0 : (this.#output[this.#size - 1] as number);
    const context = ((this.#size & ((1 << lp) - 1)) << lc) + (previous >> (8 - lc));
    const probs = LITERAL + 0x300 * context;
    let symbol = 1;
    if (state >= 7) {
      let match = this.#byteAt(rep0);
      do {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(probs + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== matchBit) break;
      } while (symbol < 0x100);
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(probs + symbol);
    this.#reserve(1);
    this.#output[this.#size++] = symbol;
  }

  #copy(distance: number, length: number): void {
    this.#byteAt(distance);
    this.#reserve(length);
    const output = this.#output;
    let to = this.#size;
    for (let from = to - distance - 1; to < this.#size + length;) output[to++] = output[from++] as number;
    this.#size = to;
  }

  #byteAt(distance: number): number {
    if (distance >= this.#size) throw damaged(this.#options.what, 'the lzma data is damaged');
    return this.#output[this.#size - distance - 1] as number;
  }

  #reserve(length: number): void {
    const { limit, size, what } = this.#options;
    const needed = this.#size + length;
    if (size !== undefined && needed > size) throw damaged(what, 'the lzma data is longer than it says');
    if (needed > limit) throw tooLarge(this.#options);
    if (needed <= this.#output.length) return;
    const larger = new Uint8Array(Math.min(Math.max(needed, this.#output.length * 2), limit));
    larger.set(this.#output);
    this.#output = larger;
  }

  #length(probs: number, posState: number): number {
    if (this.#bit(probs) === 0) return this.#tree(probs + 2 + posState * 8, 3);
    if (this.#bit(probs + 1) === 0) return 8 + this.#tree(probs + 2 + 128 + posState * 8, 3);
    return 16 + this.#tree(probs + 2 + 256, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(POS_SLOT + Math.min(length, 3) * 64, 6);
    if (slot < 4) return slot;
    const directBits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << directBits) >>> 0;
    if (slot < 14) return base + this.#reverseTree(POS_SPECIAL + base - slot, directBits);
    return base + this.#direct(directBits - 4) * 16 + this.#reverseTree(POS_ALIGN, 4);
  }

  #tree(probs: number, bits: number): number {
    let symbol = 1;
    for (let bit = 0; bit < bits; bit++) symbol = (symbol << 1) | this.#bit(probs + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(probs: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.#bit(probs + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << index;
    }
    return value;
  }

  #direct(bits: number): number {
    let value = 0;
    for (let bit = 0; bit < bits; bit++) {
      this.#range >>>= 1;
      const one = this.#code >= this.#range;
      if (one) this.#code -= this.#range;
      value = value * 2 + (one ? 1 : 0);
      this.#normalize();
    }
    return value;
  }

  #bit(prob: number): 0 | 1 {
    const chance = this.#probs[prob] as number;
    const bound = (this.#range >>> 11) * chance;
    let bit: 0 | 1;
    if (this.#code < bound) {
      this.#probs[prob] = chance + ((2048 - chance) >> 5);
      this.#range = bound;
      bit = 0;
    } else {
      this.#probs[prob] = chance - (chance >> 5);
      this.#range -= bound;
      this.#code -= bound;
      bit = 1;
    }
    this.#normalize();
    return bit;
  }

  #normalize(): void {
    if (this.#range >= 0x1000000) return;
    if (this.#at >= this.#input.length) throw cutOff(this.#options.what, 'lzma');
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
  }
}
