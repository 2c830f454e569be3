// primary.xml and filelists.xml, tens of megabytes of machine-written XML: split into packages by a byte search, of
// which only those that are asked for are parsed. That relies on '<' occurring in markup alone, so a document with
// comments, CDATA or a document type is refused.
import { OnlayError } from '../../../errors.ts';
import { view } from '../../../base/bytes.ts';

/** A document as a list of `<package …>…</package>` spans. */
export class PackageSpans {
  readonly #raw: Buffer & { latin1Slice(start?: number, end?: number): string };
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly what: string;

  /** Throws INDEX_INVALID. */
  constructor(bytes: Uint8Array, what: string) {
    this.#raw = view(bytes);
    this.what = what;
    if (this.#raw.includes('<!')) throw this.#invalid('it has a comment, CDATA or a document type');
    for (let at = this.#raw.indexOf('<package'); at !== -1;) {
      const next = this.#raw[at + 8];
      const end = this.#raw.indexOf('</package>', at);
      if (end === -1) throw this.#invalid('it is cut off');
      // a space or line end follows the name: others are <packager> and the like
      if (next === 0x20 || next === 0x0a || next === 0x09 || next === 0x0d || next === 0x3e) {
        this.#starts.push(at);
        this.#ends.push(end + 10);
        at = this.#raw.indexOf('<package', end + 10);
      } else at = this.#raw.indexOf('<package', at + 8);
    }
  }

  get count(): number {
    return this.#starts.length;
  }

  /** The bytes of package `index`. */
  span(index: number): Uint8Array {
    return this.#raw.subarray(this.#starts[index], this.#ends[index]);
  }

  /** Text between `before` and `after` in package `index`, raw; undefined if it is not there. */
  between(index: number, before: string, after: string): string | undefined {
    // a span of its own, so that what is not there is not searched for in all other packages
    const span = view(this.span(index));
    const from = span.indexOf(before);
    if (from === -1) return undefined;
    const start = from + before.length;
    const end = span.indexOf(after, start);
    return end === -1 ? undefined : span.latin1Slice(start, end);
  }

  /** Indexes of the packages that contain `needle`, ascending. */
  containing(needle: string): readonly number[] {
    const found: number[] = [];
    const bytes = Buffer.from(needle, 'latin1');
    for (let at = this.#raw.indexOf(bytes); at !== -1;) {
      const index = this.#indexAt(at);
      if (index === -1) at = this.#raw.indexOf(bytes, at + 1);
      else {
        found.push(index);
        at = this.#raw.indexOf(bytes, this.#ends[index]);
      }
    }
    return found;
  }

  /** The package that byte `at` lies in, or -1. */
  #indexAt(at: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] ?? 0) <= at) low = middle + 1;
      else if ((this.#starts[middle] ?? 0) > at) high = middle - 1;
      else return middle;
    }
    return -1;
  }

  #invalid(why: string): OnlayError {
    return new OnlayError('INDEX_INVALID', `Cannot read ${this.what}: ${why}`);
  }
}

/** Text as it stands in XML text or in an attribute in double quotes. */
export function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

export function unescapeXml(text: string): string {
  return text.includes('&')
    ? text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] as string)
    : text;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
