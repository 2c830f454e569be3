// lib/apk/db/triggers: which directories an installed package watches. A line is the package's checksum and patterns
// for directories, fnmatch(3) style per component. apk writes a line a package and rewrites the file on every change.
import { byteString, fromByteString } from '../../base/bytes.ts';
import { matchesPath } from './glob.ts';

export interface TriggerLine {
  /** `C:` of the package. */
  readonly checksum: string;
  /** Absolute, with * ? [ ] that do not match a slash. */
  readonly patterns: readonly string[];
}

/** Lines of one package are merged into its first one. */
export function readTriggers(bytes: Uint8Array): TriggerLine[] {
  const lines = new Map<string, string[]>();
  for (const line of byteString(bytes).split('\n')) {
    const [checksum = '', ...patterns] = line.split(/[ \t\r]+/).filter((word) => word !== '');
    if (patterns.length === 0) continue;
    const known = lines.get(checksum);
    if (known) known.push(...patterns);
    else lines.set(checksum, patterns);
  }
  return [...lines].map(([checksum, patterns]) => ({ checksum, patterns }));
}

export function writeTriggers(lines: readonly TriggerLine[]): Uint8Array {
  return fromByteString(
    lines.map(({ checksum, patterns }) => `${checksum} ${patterns.join(' ')}\n`).join(''),
  );
}

/** True when one of the patterns matches the directory, given as an absolute path. */
export function isWatched({ patterns }: TriggerLine, directory: string): boolean {
  return patterns.some((pattern) => pattern.startsWith('/') && matchesPath(pattern, directory));
}
