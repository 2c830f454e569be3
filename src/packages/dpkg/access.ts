// How a URL of a repository is to be asked for: login, proxy and certificates as apt of the image would use them,
// apt-transport-http(1), apt-transport-https(1), apt_auth.conf(5).
import type { RootView } from '../../rootfs/root-view.ts';
import type { PackageAccess } from '../family.ts';
import { readAptConfig, readImageText } from './apt-config.ts';
import type { AptConfig } from './apt-config.ts';
import { loginFor, readAuthConf } from './auth-conf.ts';
import type { AuthEntry } from './auth-conf.ts';
import { readSourceLines, readSources } from './sources.ts';

export interface AccessRules {
  readonly config: AptConfig;
  readonly logins: readonly AuthEntry[];
  /** Content of a file of the image, for client certificates and authorities. */
  readonly readImage: (path: string) => string | undefined;
  /** True for a repository that the user names, whose file: URLs mean this machine and not the image. */
  readonly isOurs: boolean;
}

export function accessTo(url: string, { config, logins, readImage, isOurs }: AccessRules): PackageAccess {
  const login = loginFor(url, logins);
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  const scheme = url.slice(0, url.indexOf(':')).toLowerCase();
  const option = (name: string): string | undefined =>
    config.get(`Acquire::${scheme}::${name}::${host}`) ??
    config.get(`Acquire::${scheme}::${host}::${name}`) ??
    config.get(`Acquire::${scheme}::${name}`);
  const proxy = option('Proxy');
  const file = (name: string): string | undefined => {
    const path = option(name);
    return path ? readImage(path) : undefined;
  };
  const verify = !['Verify-Peer', 'Verify-Host'].some((name) =>
    /^(?:no|false|0|off)$/i.test(option(name) ?? ''),
  );
  const [ca, cert, key] = scheme === 'https' ? [file('CaInfo'), file('SslCert'), file('SslKey')] : [];
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify || scheme !== 'https' ? {} : { verify }),
  };
  return {
    ...(login ? { credentials: login } : {}),
    ...(proxy ? { proxy: /^(?:DIRECT|false)$/i.test(proxy) ? 'direct' : proxy } : {}),
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
    ...(isOurs ? {} : { hostFiles: false }),
  };
}

/** How packages of the image's own repositories, or of `lines` (--repo), are to be asked for. */
export function packageAccess(
  root: RootView,
  architecture: string,
  lines: readonly string[],
): (url: string) => PackageAccess {
  const sources =
    lines.length > 0
      ? readSourceLines(lines, { root, architecture, origin: '--repo' })
      : readSources(root, architecture).sources;
  const rules: AccessRules = {
    config: readAptConfig(root),
    logins: [...sources.flatMap(({ logins }) => logins), ...readAuthConf(root)],
    readImage: (path) => readImageText(root, path),
    isOurs: lines.length > 0,
  };
  return (url) => accessTo(url, rules);
}
