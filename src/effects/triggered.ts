// The script that a trigger runs, for triggers that other scripts activate with dpkg-trigger.
import { byteString } from '../base/bytes.ts';
import type { EffectContext, ScriptRun } from './effect.ts';

/** postinst of the package `name` ("libc-bin", or "libx:amd64" for Multi-Arch: same); undefined if it has none. */
export function triggeredScript(name: string, { draft }: EffectContext): ScriptRun | undefined {
  if (!/^[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?$/.test(name)) return undefined;
  const path = `var/lib/dpkg/info/${name}.postinst`;
  if (!draft.readable(path)) return undefined;
  const body = byteString(draft.read(path) ?? new Uint8Array());
  const [owner = '', arch] = name.split(':');
  return {
    package: owner,
    ...(arch === undefined ? {} : { arch }),
    script: 'postinst triggered',
    interpreter: /^#![ \t]*([^\n]*)/.exec(body)?.[1]?.trim() ?? '',
    body,
  };
}
