// Reading JSON that came from outside: size and encoding are checked, and fields are taken by type, never trusted.
import { OnlayError } from '../errors.ts';
import { view } from '../base/bytes.ts';

/** Scanner reports beyond this are refused: Node holds no longer text (100 000 findings are about 200 MB). */
export const REPORT_LIMIT: number = 500 * 1024 * 1024;

/** Parses a JSON document; `what` names it in messages. Throws REPORT_INVALID. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > REPORT_LIMIT)
    throw new OnlayError('REPORT_INVALID', `${what} is larger than ${REPORT_LIMIT} bytes`);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    throw new OnlayError('REPORT_INVALID', `${what} is UTF-16; JSON is UTF-8`, {
      hint: 'a shell that redirects output as UTF-16 did this; let the scanner write the file itself',
    });
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const text = view(bytes.subarray(start)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new OnlayError('REPORT_INVALID', `${what} is not JSON: ${reasonOf(error)}`, {
      hint: 'write the report in JSON, for Trivy with `trivy image --format json --output FILE IMAGE`',
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 160) : String(error);
}

export type Json = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property only: `__proto__` and friends of a hostile document stay out. */
export function field(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}

export function array(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

export function texts(value: unknown, name: string): readonly string[] {
  return array(value, name).filter((item): item is string => typeof item === 'string');
}

/** A value of a document as messages quote it: on few characters, whatever it is. */
export function quoted(value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
