// Protected directories: where a file that the user changed is kept and the package's lies beside it as X.apk-new.
// etc is protected always; etc/apk/protected_paths.d/*.list adds and takes away. apk-protected_paths(5).
import { byteString } from '../../base/bytes.ts';
import type { RootPath } from '../../rootfs/path.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { matchesName } from './glob.ts';

const FOLDER = 'etc/apk/protected_paths.d';

export interface ProtectedPaths {
  /** True when a change of the user's at this path is kept. */
  isProtected(path: RootPath): boolean;
}

interface Rule {
  /** Patterns, one a path component. */
  readonly parts: readonly string[];
  readonly protect: boolean;
}

const BUILT_IN: readonly Rule[] = [{ parts: ['etc'], protect: true }];

export function readProtectedPaths(root: RootView): ProtectedPaths {
  const rules = [...BUILT_IN];
  for (const name of root.list(FOLDER)) {
    const path = `${FOLDER}/${name}`;
    if (name.startsWith('.') || !name.endsWith('.list') || !root.readable(path)) continue;
    rules.push(...parseRules(byteString(root.read(path) ?? new Uint8Array())));
  }
  return { isProtected: (path) => isProtected(rules, path) };
}

/** Lines of a list: a sign (- not protected; + @ ! or none: protected) and a pattern. */
export function parseRules(text: string): readonly Rule[] {
  const rules: Rule[] = [];
  for (const line of text.split('\n')) {
    const [, sign, pattern = ''] = /^([-+@!]?)(.*)$/.exec(line.trim()) ?? [];
    const parts = pattern.split('/').filter((part) => part !== '');
    if (line.startsWith('#') || parts.length === 0) continue;
    rules.push({ parts, protect: sign !== '-' });
  }
  return rules;
}

/** The most specific directory decides, the last rule among equals; a rule covers everything below its path. */
function isProtected(rules: readonly Rule[], path: RootPath): boolean {
  const names = path.split('/');
  let depth = 0;
  let protect = false;
  for (const rule of rules) {
    if (rule.parts.length < depth || rule.parts.length > names.length) continue;
    if (!rule.parts.every((part, index) => matchesName(part, names[index] as string))) continue;
    depth = rule.parts.length;
    protect = rule.protect;
  }
  return protect;
}
