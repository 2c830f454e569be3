// bzip2 decoding with seek-bzip, loaded when met. Several streams are one content; zeros after the last one are padding.
import Bunzip from 'seek-bzip';
import { OnlayError, messageOf } from '../errors.ts';
import { collect, type ByteStream } from '../base/streams.ts';
import { cutOff, damaged, tooLarge, type DecodeOptions } from './failure.ts';

/** Content of a bzip2 stream. */
export async function* unbzip2(
  source: ByteStream,
  options: DecodeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  // compressed data is never much larger than its content
  const bytes = await collect(source, {
    limit: options.limit + options.limit / 8 + 65536,
    what: options.what,
  });
  const input = new Input(bytes, options.what);
  const output = new Output(options);
  do {
    try {
      Bunzip.decode(input, output);
    } catch (error) {
      if (error instanceof OnlayError) throw error;
      throw damaged(options.what, `the bzip2 data is damaged (${messageOf(error)})`, { cause: error });
    }
  } while (input.more);
  yield* output.finish();
}

// Without an `eof` method, seek-bzip reads to the end mark of a stream and never takes the end of the input for it.
class Input {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** True when another stream follows, false for padding. */
  get more(): boolean {
    if (this.#bytes[this.#at] === 0x42) return true;
    if (this.#bytes.subarray(this.#at).some((byte) => byte !== 0))
      throw damaged(this.#what, 'something other than bzip2 follows the bzip2 data');
    return false;
  }

  readByte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw cutOff(this.#what, 'bzip2');
    return byte;
  }

  read(buffer: Uint8Array, offset: number, length: number): number {
    for (let at = 0; at < length; at++) buffer[offset + at] = this.readByte();
    return length;
  }
}

const CHUNK_SIZE = 256 * 1024;

class Output {
  readonly #options: DecodeOptions;
  readonly #full: Uint8Array[] = [];
  #chunk = new Uint8Array(CHUNK_SIZE);
  #at = 0;

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  writeByte(byte: number): void {
    if (this.#at === CHUNK_SIZE) {
      this.#full.push(this.#chunk);
      this.#chunk = new Uint8Array(CHUNK_SIZE);
      this.#at = 0;
      if (this.#full.length * CHUNK_SIZE > this.#options.limit) throw tooLarge(this.#options);
    }
    this.#chunk[this.#at++] = byte;
  }

  finish(): Uint8Array[] {
    return [...this.#full, this.#chunk.subarray(0, this.#at)];
  }
}
