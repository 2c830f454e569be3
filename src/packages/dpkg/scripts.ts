// Which maintainer scripts dpkg would run, in its order (Debian Policy 6.6): they are not run here, but handed on, so
// that what they do can be emulated or reported. What dpkg-maintscript-helper lines do is done by install.ts.
// https://www.debian.org/doc/debian-policy/ch-maintainerscripts.html#details-of-unpack-phase-of-installation-or-upgrade
import { byteString } from '../../base/bytes.ts';
import type { PackageScript } from '../family.ts';
import type { InfoMember } from './info-files.ts';

/** Scripts of an upgrade, or of a new installation where `old` is undefined. */
export function upgradeScripts(
  members: readonly InfoMember[],
  old: ((member: string) => Uint8Array | undefined) | undefined,
): PackageScript[] {
  const fresh = (name: string): Uint8Array | undefined =>
    members.find(({ member }) => member === name)?.content;
  return [
    packageScript('prerm', old?.('prerm')),
    packageScript('preinst', fresh('preinst')),
    packageScript('postrm', old?.('postrm')),
    packageScript('postinst', fresh('postinst')),
  ].filter((script) => script !== undefined);
}

/** The script `name`; a file without "#!" has no interpreter. */
export function packageScript(name: string, content: Uint8Array | undefined): PackageScript | undefined {
  if (!content) return undefined;
  const body = byteString(content);
  return { name, interpreter: /^#![ \t]*([^\n]*)/.exec(body)?.[1]?.trim() ?? '', body };
}

/**
 * Which files the postinst may give an owner, mode or capability: those it names, without regard to directories (which
 * are often variables), and those below what it changes as a whole tree. The argument is a name as dpkg spells it.
 */
export function filesOfPostinst(members: readonly InfoMember[]): (name: string) => boolean {
  const content = members.find(({ member }) => member === 'postinst')?.content;
  if (!content) return () => false;
  const lines = byteString(content)
    .split('\n')
    .filter((line) => !/^\s*#/.test(line));
  const words = new Set(lines.flatMap((line) => line.split(/[^\w.+@:-]+/)));
  const recursive = lines.filter((line) => /\bch(?:own|grp|mod)\b.*\s(?:-\w*R|--recursive)/.test(line));
  const trees = recursive.flatMap((line) => (line.includes('$') ? ['/'] : line.split(/[\s'";]+/)));
  return (name) =>
    words.has(name.slice(name.lastIndexOf('/') + 1)) ||
    trees.some((tree) => tree.startsWith('/') && name.startsWith(tree.endsWith('/') ? tree : `${tree}/`));
}
