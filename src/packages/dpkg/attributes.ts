// Mode, owner and extended attributes of what is unpacked. dpkg takes those of the package, or of a statoverride, and so
// loses what a postinst set on the old file (setgid of ssh-agent, the capability of ping) until that postinst runs again.
// Here it does not run: what it would set again is carried over, and reported. All else is lost as with dpkg: a package
// that no longer ships a program setgid, nor has a script that makes it so, has its reasons (CVE-2024-28085).
import type { RootNode } from '../../rootfs/root-view.ts';
import type { Accounts } from './accounts.ts';
import type { DebEntry } from './deb.ts';
import type { StatOverride } from './statoverride.ts';

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** What decides attributes besides the package. */
export interface AttributeRules {
  readonly accounts: Accounts;
  readonly overrides: ReadonlyMap<string, StatOverride>;
}

/** What `entry` gets where nothing is to be carried over. */
export function shippedAttributes(entry: DebEntry, { accounts, overrides }: AttributeRules): Attributes {
  const override = overrides.get(entry.name);
  if (override) return { ...override, xattrs: NONE };
  return {
    mode: entry.mode,
    uid: (entry.uname === '' ? undefined : accounts.uid(entry.uname)) ?? entry.uid,
    gid: (entry.gname === '' ? undefined : accounts.gid(entry.gname)) ?? entry.gid,
    xattrs: NONE,
  };
}

/**
 * What `entry`, a file, gets where it replaces `existing`: owner, setuid and setgid bits and capabilities of a file that
 * the package ships as root's, without them, stay if its script may set them. `kept` says so for people.
 */
export function replacingAttributes(
  entry: DebEntry,
  existing: RootNode | undefined,
  rules: AttributeRules,
  setByScript: (name: string) => boolean,
): { readonly attributes: Attributes; readonly kept?: string } {
  const shipped = shippedAttributes(entry, rules);
  if (existing?.type !== 'file' || rules.overrides.has(entry.name)) return { attributes: shipped };
  const capability = existing.xattrs.get(CAPABILITY);
  const keepsOwner = (existing.uid !== 0 && shipped.uid === 0) || (existing.gid !== 0 && shipped.gid === 0);
  const keepsBits = (existing.mode & SET_IDS & ~shipped.mode) !== 0;
  if (!keepsOwner && !keepsBits && capability === undefined) return { attributes: shipped };
  if (!setByScript(entry.name)) return { attributes: shipped };
  const attributes: Attributes = {
    mode: keepsOwner || keepsBits ? existing.mode : shipped.mode,
    uid: keepsOwner || keepsBits ? existing.uid : shipped.uid,
    gid: keepsOwner || keepsBits ? existing.gid : shipped.gid,
    xattrs: capability === undefined ? NONE : new Map([[CAPABILITY, capability]]),
  };
  const facts = [
    ...(keepsOwner || keepsBits
      ? [`mode ${existing.mode.toString(8).padStart(4, '0')} and owner ${existing.uid}:${existing.gid}`]
      : []),
    ...(capability === undefined ? [] : ['its capabilities']),
  ];
  return { attributes, kept: facts.join(', ') };
}

/** True when `node` has exactly these attributes. */
export function hasAttributes(node: RootNode, { mode, uid, gid, xattrs }: Attributes): boolean {
  return (
    node.mode === mode &&
    node.uid === uid &&
    node.gid === gid &&
    node.xattrs.size === xattrs.size &&
    [...xattrs].every(([name, value]) => {
      const other = node.xattrs.get(name);
      return other !== undefined && Buffer.compare(other, value) === 0;
    })
  );
}

const NONE: ReadonlyMap<string, Uint8Array> = new Map();
const CAPABILITY = 'security.capability';
const SET_IDS = 0o6000;
