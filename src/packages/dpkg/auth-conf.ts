// Credentials for repositories: etc/apt/auth.conf and auth.conf.d of the image, apt_auth.conf(5), netrc-like. They are used for requests and never written anywhere.
import type { RootView } from '../../rootfs/root-view.ts';
import { partsOf, readImageText } from './apt-config.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface AuthEntry extends Login {
  /** "[scheme://]host[:port][/path]" as written. */
  readonly machine: string;
}

export function readAuthConf(root: RootView): readonly AuthEntry[] {
  const files = partsOf(root, 'etc/apt/auth.conf.d', 'conf');
  // the single file is asked first
  return ['etc/apt/auth.conf', ...files].flatMap((path) => parseAuthConf(readImageText(root, path) ?? ''));
}

export function parseAuthConf(text: string): readonly AuthEntry[] {
  const entries: { machine: string; username?: string; password?: string }[] = [];
  const words = text
    .replace(/^[ \t]*#.*$/gm, '')
    .split(/\s+/)
    .filter((word) => word !== '');
  for (let i = 0; i < words.length; i++) {
    const value = words[i + 1];
    const entry = entries.at(-1);
    if (words[i] === 'machine' && value !== undefined) entries.push({ machine: value });
    else if (words[i] === 'login' && value !== undefined && entry) entry.username = value;
    else if (words[i] === 'password' && value !== undefined && entry) entry.password = value;
    else continue;
    i++;
  }
  return entries.flatMap(({ machine, username, password }) =>
    username === undefined && password === undefined
      ? []
      : [{ machine, username: username ?? '', password: password ?? '' }],
  );
}

/** The first entry for `url`. An entry without a scheme is for https alone: a password must not go out in the clear. */
export function loginFor(url: string, entries: readonly AuthEntry[]): Login | undefined {
  if (!URL.canParse(url)) return undefined;
  const asked = new URL(url);
  const found = entries.find(({ machine }) => {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(machine)?.[1]?.toLowerCase();
    const rest = machine.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
    if (scheme === undefined ? !/^(?:tor\+)?https:$/.test(asked.protocol) : `${scheme}:` !== asked.protocol)
      return false;
    const slash = rest.indexOf('/');
    const host = (slash === -1 ? rest : rest.slice(0, slash)).toLowerCase();
    const path = slash === -1 ? '/' : rest.slice(slash);
    const port = /:\d+$/.test(host);
    if ((port ? withPort(asked) : asked.hostname) !== host) return false;
    // "/ubuntu" covers /ubuntu and what is below, not /ubuntu-ports; "/ubuntu/" only what is below
    return (
      asked.pathname.startsWith(path) &&
      (path.endsWith('/') || /^(?:\/|$)/.test(asked.pathname.slice(path.length)))
    );
  });
  return found && { username: found.username, password: found.password };
}

function withPort(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`;
}
