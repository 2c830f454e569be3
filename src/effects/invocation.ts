// How the package manager would have called a script: before or after the new files come, with which arguments and
// which environment. Debian Policy 6.5 and 6.6; rpm's scriptlet arguments; apk's script arguments.
// https://www.debian.org/doc/debian-policy/ch-maintainerscripts.html
// https://rpm-software-management.github.io/rpm/manual/scriptlets.html
import { byteString } from '../base/bytes.ts';
import type { ChangedPackage, EffectContext, ScriptRun } from './effect.ts';
import { UNKNOWN } from './shell/unknown.ts';

export interface Invocation {
  readonly phase: 'before' | 'after';
  readonly isUpgrade: boolean;
  readonly parameters: readonly string[];
  readonly variables: ReadonlyMap<string, string>;
}

export function invocationOf(script: ScriptRun, context: EffectContext): Invocation {
  const candidates = context.packages.filter(({ name }) => name === script.package);
  const changed =
    candidates.find(({ arch }) => script.arch === undefined || arch === script.arch) ?? candidates[0];
  const call = CALLS[context.family](script, changed, context);
  return {
    ...call,
    isUpgrade: changed === undefined || changed.from !== undefined,
    variables: new Map([
      ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ['HOME', '/root'],
      ['PWD', '/'],
      ['0', script.script],
      ...(context.family === 'dpkg' ? dpkgVariables(script, changed) : []),
    ]),
  };
}

type Call = Pick<Invocation, 'phase' | 'parameters'>;

/** Nothing is known of how it is called. */
const ANYHOW: readonly string[] = [UNKNOWN, UNKNOWN, UNKNOWN];

const CALLS: Readonly<
  Record<
    EffectContext['family'],
    (script: ScriptRun, changed: ChangedPackage | undefined, context: EffectContext) => Call
  >
> = { dpkg: dpkgCall, rpm: rpmCall, apk: apkCall };

function dpkgCall({ script }: ScriptRun, changed: ChangedPackage | undefined, context: EffectContext): Call {
  if (script === 'postinst triggered') return { phase: 'after', parameters: ['triggered', UNKNOWN] };
  const phase = script === 'prerm' || script === 'preinst' ? 'before' : 'after';
  if (!changed) return { phase, parameters: ANYHOW };
  if (changed.removed) return { phase, parameters: ['remove'] };
  const { from, to } = changed;
  switch (script) {
    case 'prerm':
    case 'postrm':
      return { phase, parameters: ['upgrade', to] };
    case 'preinst':
      return {
        phase,
        parameters: from === undefined ? ['install', ...configured(changed, context)] : ['upgrade', from, to],
      };
    case 'postinst':
      return { phase, parameters: ['configure', from ?? configured(changed, context)[0] ?? ''] };
    default:
      return { phase, parameters: ANYHOW };
  }
}

/** Version of a package that was removed and left its configuration files. */
function configured({ name }: ChangedPackage, { draft }: EffectContext): readonly string[] {
  const path = 'var/lib/dpkg/status';
  if (!draft.base.readable(path)) return [];
  const status = `\n\n${byteString(draft.base.read(path) ?? new Uint8Array())}`;
  const start = status.indexOf(`\n\nPackage: ${name}\n`);
  if (start < 0) return [];
  const stanza = status.slice(start + 2, status.indexOf('\n\n', start + 2));
  const version = /^(?:Config-)?Version: (.+)$/m.exec(stanza)?.[1];
  return version !== undefined && / config-files$/m.test(stanza) ? [version] : [];
}

function dpkgVariables(script: ScriptRun, changed: ChangedPackage | undefined): [string, string][] {
  return [
    ['DPKG_ADMINDIR', '/var/lib/dpkg'],
    ['DPKG_ROOT', ''],
    ['DPKG_MAINTSCRIPT_ARCH', script.arch ?? changed?.arch ?? UNKNOWN],
    ['DPKG_MAINTSCRIPT_NAME', script.script.split(' ')[0] ?? ''],
    ['DPKG_MAINTSCRIPT_PACKAGE', script.package],
    ['DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT', UNKNOWN],
    ['DPKG_RUNNING_VERSION', UNKNOWN],
    ['DEBIAN_FRONTEND', 'noninteractive'],
  ];
}

/** The first argument is the number of versions that will be there. */
function rpmCall({ script }: ScriptRun, changed: ChangedPackage | undefined): Call {
  const phase = script === '%pretrans' || script === '%pre' ? 'before' : 'after';
  if (script === '%pre' || script === '%post')
    return { phase, parameters: changed ? [changed.from === undefined ? '1' : '2'] : ANYHOW };
  if (script === '%preun' || script === '%postun')
    return { phase, parameters: changed ? [changed.removed ? '0' : '1'] : ANYHOW };
  return { phase, parameters: ANYHOW };
}

function apkCall({ script }: ScriptRun, changed: ChangedPackage | undefined): Call {
  const phase = script.startsWith('pre-') ? 'before' : 'after';
  if (!changed || script === 'trigger') return { phase, parameters: ANYHOW };
  const { from, to } = changed;
  return { phase, parameters: script.endsWith('-upgrade') && from !== undefined ? [to, from] : [to] };
}
