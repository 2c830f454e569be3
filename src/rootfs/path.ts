// Paths inside an image: byte strings (base/bytes.ts) relative to the root, '/' between components, no leading or
// trailing slash, no '.', '..' or empty component. The root itself is ''.
import { OnlayError } from '../errors.ts';
import { displayText } from '../base/bytes.ts';

declare const brand: unique symbol;
/** A normalised path in an image; made by `rootPath` only. */
export type RootPath = string & { readonly [brand]: 'RootPath' };

/**
 * Normalises `path` (byte string): leading '/' and './', '.' components, doubled and trailing slashes go. Throws
 * ARCHIVE_INVALID for '..' and NUL, which no honest archive or database holds; `what` names the origin.
 */
export function rootPath(path: string, what = 'path'): RootPath {
  if (SIMPLE.test(path)) return path as RootPath;
  if (path.includes('\0')) throw new OnlayError('ARCHIVE_INVALID', `${what} has a NUL byte`);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new OnlayError('ARCHIVE_INVALID', `${what} leaves the root: ${displayText(path)}`);
  return parts.join('/') as RootPath;
}
// the common case: no empty, '.' or '..' component (a component that starts with '.' takes the slow way)
const SIMPLE = /^(?:[^/.\0][^/\0]*)(?:\/[^/.\0][^/\0]*)*$/;

export function parentOf(path: RootPath): RootPath {
  const slash = path.lastIndexOf('/');
  return (slash === -1 ? '' : path.slice(0, slash)) as RootPath;
}

export function baseName(path: RootPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(parent: RootPath, name: string): RootPath {
  return (parent === '' ? name : `${parent}/${name}`) as RootPath;
}
