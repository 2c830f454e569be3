// Every effect, written out in the order they run, and the verdict on each script of an upgrade.
import { hexDigest } from '../base/hash.ts';
import { fromByteString } from '../base/bytes.ts';
import { caCertificates } from './ca-certificates.ts';
import { ldconfig } from './ldconfig.ts';
import { pythonBytecode } from './python-bytecode.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { noOpReason } from './no-op.ts';

export const effects: readonly Effect[] = [caCertificates, pythonBytecode, ldconfig];

export interface ScriptVerdict {
  readonly package: string;
  readonly name: string;
  readonly action: 'emulated' | 'not-run' | 'no-op';
  readonly by: string;
}

/** Runs all effects of the family, then says of every script what became of it. */
export async function runEffects(context: EffectContext): Promise<readonly ScriptVerdict[]> {
  const active = effects.filter((effect) => effect.families.includes(context.family));
  for (const effect of active) await effect.apply(context);
  return context.scripts.map((script) => verdict(script, active, context));
}

function verdict(script: ScriptRun, active: readonly Effect[], context: EffectContext): ScriptVerdict {
  const named = { package: script.package, name: script.script };
  const reason = noOpReason(script, context);
  if (reason !== undefined) return { ...named, action: 'no-op', by: reason };
  const effect = active.find((candidate) => candidate.standsFor(script, context));
  if (effect) return { ...named, action: 'emulated', by: effect.name };
  const digest = hexDigest('sha256', fromByteString(script.body));
  return { ...named, action: 'not-run', by: `${script.interpreter || 'no interpreter'} sha256:${digest}` };
}
