// Whether a release still gets updates, from shipped data; no service is asked.
import { OnlayError } from '../errors.ts';
import type { Log } from '../base/log.ts';
import type { Distro } from '../packages/distro.ts';

/** Warns, or throws DISTRO_END_OF_LIFE with `fail`. Unknown releases pass. */
export function checkEndOfLife(
  distro: Distro | undefined,
  options: { readonly name: string; readonly now: number; readonly fail: boolean; readonly log: Log },
): void {
  const end = distro?.release?.endOfLife;
  if (!distro || end === undefined || options.now <= Date.parse(`${end}T23:59:59Z`)) return;
  const text = `${options.name} is ${distro.name} ${distro.release?.version ?? ''}, whose updates ended on ${end}`;
  if (options.fail)
    throw new OnlayError('DISTRO_END_OF_LIFE', text, {
      hint: 'move to a supported release; without --exit-on-eol what its archive still holds is applied',
    });
  options.log.warn(text);
}
