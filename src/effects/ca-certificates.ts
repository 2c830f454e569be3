// What the postinst of Debian's ca-certificates and update-ca-certificates do: the list of trusted certificates
// (/etc/ca-certificates.conf), the links and hash links in /etc/ssl/certs, and the bundle. Hooks below
// /etc/ca-certificates/update.d are not run and reported.
import { byteString, fromByteString } from '../base/bytes.ts';
import type { Draft } from '../rootfs/draft.ts';
import type { RootView } from '../rootfs/root-view.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { certificateNames } from './x509-subject.ts';

const CONF = 'etc/ca-certificates.conf';
const SHIPPED = 'usr/share/ca-certificates';
const LOCAL = 'usr/local/share/ca-certificates';
const CERTS = 'etc/ssl/certs';
const BUNDLE = `${CERTS}/ca-certificates.crt`;
const HOOKS = 'etc/ca-certificates/update.d';
const ANSWERS = 'var/cache/debconf/config.dat';

export const caCertificates: Effect = {
  name: 'ca-certificates',
  families: ['dpkg'],
  standsFor,
  captures: (path, size) =>
    (path.startsWith(`${SHIPPED}/`) || path.startsWith(`${LOCAL}/`) || path === ANSWERS) &&
    size <= 8 * 1024 * 1024,
  apply: update,
};

function standsFor({ package: owner, script }: ScriptRun): boolean {
  return owner === 'ca-certificates' && script.startsWith('postinst');
}

function update(context: EffectContext): void {
  const { draft } = context;
  // its own upgrade, or a trigger by a package that brings certificates
  const concerned =
    context.packages.some(({ name, removed }) => name === 'ca-certificates' && removed === undefined) ||
    context.scripts.some((script) => standsFor(script));
  if (!concerned || !draft.readable(CONF) || draft.follow(CERTS)?.type !== 'directory') return;
  const local = certificatesBelow(draft, LOCAL).map((name) => `${LOCAL}/${name}`);
  // links to files elsewhere
  const unread = local.find((path) => draft.follow(path)?.type === 'file' && !draft.readable(path));
  if (unread !== undefined) {
    context.warn(`update-ca-certificates was not run: the content of ${unread} was not kept`);
    return;
  }
  const lines = updateList(draft, context.epoch);
  const enabled = lines.filter((line) => line !== '' && !/^[#!]/.test(line));
  const certificates = [
    ...enabled.map((line) => `${SHIPPED}/${line}`).filter((path) => draft.readable(path)),
    ...local.filter((path) => draft.readable(path)),
  ];
  const removed = new Set(
    lines.filter((line) => line.startsWith('!')).map((line) => linkName(line.slice(1))),
  );
  updateLinks(draft, certificates, removed, context.epoch);
  updateHashes(draft, context.epoch);
  const parts = certificates.map((path) => terminated(byteString(draft.read(path) ?? new Uint8Array())));
  putFile(draft, BUNDLE, parts.join(''), context.epoch);
  const hooks = draft.list(HOOKS);
  if (hooks.length > 0)
    context.warn(
      `hooks of update-ca-certificates were not run: ${hooks.map((name) => `/${HOOKS}/${name}`).join(', ')}`,
    );
}

/** Keeps the order of the list, marks what is gone with `!`, appends what is new: trusted unless debconf says no. */
function updateList(draft: Draft, epoch: number): readonly string[] {
  const old = byteString(draft.read(CONF) ?? new Uint8Array());
  const shipped = new Set(certificatesBelow(draft, SHIPPED));
  const lines = old.replace(/\n$/, '').split('\n');
  const known = new Set(lines.map((line) => line.replace(/^!/, '')));
  const kept = lines.map((line) =>
    line !== '' && !/^[#!]/.test(line) && !shipped.has(line) ? `!${line}` : line,
  );
  const fresh = [...shipped]
    .filter((name) => !known.has(name))
    .map((name) => (trustsNew(draft) ? name : `!${name}`));
  const all = [...kept, ...fresh];
  putFile(draft, CONF, `${all.join('\n')}\n`, epoch);
  return all;
}

function trustsNew(root: RootView): boolean {
  if (!root.readable(ANSWERS)) return true;
  const answers = byteString(root.read(ANSWERS) ?? new Uint8Array()).split('\n\n');
  const answer = answers.find((record) => /^Name: ca-certificates\/trust_new_crts$/m.test(record));
  return answer === undefined || !/^Value: (?:no|ask)$/m.test(answer);
}

/** Paths of *.crt below a directory, relative to it, sorted. */
function certificatesBelow(root: RootView, directory: string): readonly string[] {
  const prefix = root.follow(directory)?.path;
  if (prefix === undefined) return [];
  return [...root.walk(prefix)]
    .filter(({ path, type }) => path.endsWith('.crt') && type !== 'directory')
    .map(({ path }) => path.slice(prefix.length + 1))
    .sort();
}

/** update-ca-certificates: base name, blanks, parentheses and commas replaced. */
function linkName(certificate: string): string {
  const base = certificate.slice(certificate.lastIndexOf('/') + 1).replace(/\.crt$/, '');
  return `${base.replace(/[ ,]/g, '_').replace(/[()]/g, '=')}.pem`;
}

function updateLinks(
  draft: Draft,
  certificates: readonly string[],
  removed: ReadonlySet<string>,
  mtime: number,
): void {
  const wanted = new Map(certificates.map((path) => [linkName(path), `/${path}`]));
  for (const name of draft.list(CERTS)) {
    const path = `${CERTS}/${name}`;
    const node = draft.lookup(path);
    if (node?.type !== 'symlink' || !name.endsWith('.pem') || wanted.has(name)) continue;
    if (removed.has(name) || !draft.follow(path)) draft.remove(path);
  }
  for (const [name, target] of wanted) {
    const path = `${CERTS}/${name}`;
    const node = draft.lookup(path);
    if (node?.type === 'symlink' && node.link === target) continue;
    if (node !== undefined && node.type !== 'symlink') continue;
    draft.put(path, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime, link: target });
  }
}

const HASH_LINK = /^[0-9a-f]{8}\.r?[0-9]+$/;

/** `openssl rehash`: hash links are made anew for every file that holds one certificate. */
function updateHashes(draft: Draft, mtime: number): void {
  const wanted = new Map<string, string>();
  const count = new Map<string, number>();
  const seen = new Set<string>();
  const names = draft.list(CERTS);
  for (const name of names) {
    if (!/\.(?:pem|crt|cer)$/.test(name) || !draft.readable(`${CERTS}/${name}`)) continue;
    const certificate = certificateNames(byteString(draft.read(`${CERTS}/${name}`) ?? new Uint8Array()));
    // of one certificate under several names the first counts
    if (!certificate || seen.has(certificate.digest)) continue;
    seen.add(certificate.digest);
    const hash = certificate.subjectHash;
    const number = count.get(hash) ?? 0;
    count.set(hash, number + 1);
    wanted.set(`${hash}.${number}`, name);
  }
  for (const name of names) {
    const isLink = HASH_LINK.test(name) && draft.lookup(`${CERTS}/${name}`)?.type === 'symlink';
    if (isLink && !wanted.has(name)) draft.remove(`${CERTS}/${name}`);
  }
  for (const [name, target] of wanted) {
    if (draft.lookup(`${CERTS}/${name}`)?.link === target) continue;
    draft.put(`${CERTS}/${name}`, { type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime, link: target });
  }
}

function terminated(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function putFile(draft: Draft, path: string, content: string, mtime: number): void {
  draft.put(path, { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime, content: fromByteString(content) });
}
