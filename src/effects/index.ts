// Every effect, written out in the order they run, and the verdict on each script of an upgrade.
import { alpineBaselayout } from './alpine-baselayout.ts';
import { busyboxLinks } from './busybox-links.ts';
import { caCertificates } from './ca-certificates.ts';
import type { Effect, EffectContext, ScriptRun } from './effect.ts';
import { javaArchive } from './java-archive.ts';
import { judgeScript, makeAccounts, type ScriptVerdict } from './judge.ts';
import { ldconfig } from './ldconfig.ts';
import { pythonBytecode } from './python-bytecode.ts';
import { rpmLua } from './rpm-lua.ts';
import { scriptFiles } from './script-files.ts';
import { triggeredScript } from './triggered.ts';

export type { ScriptVerdict } from './judge.ts';

export const effects: readonly Effect[] = [
  scriptFiles,
  alpineBaselayout,
  busyboxLinks,
  rpmLua,
  caCertificates,
  pythonBytecode,
  javaArchive,
  ldconfig,
];

/** Scripts that made accounts before the files came. */
type MadeAccounts = ReadonlySet<string>;

/**
 * Before the files come: packages own files by the names of accounts that their scripts make first. What it answers is
 * for `runEffects`, which does everything else that the scripts do.
 */
export function makeEarlyAccounts(context: EffectContext): MadeAccounts {
  const active = effects.filter((effect) => effect.families.includes(context.family));
  return new Set(context.scripts.filter((script) => makeAccounts(script, context, active)).map(nameOf));
}

function nameOf({ package: owner, arch = '', script }: ScriptRun): string {
  return `${owner} ${arch} ${script}`;
}

/** Follows every script and runs all effects of the family; says of every script what became of it. */
export async function runEffects(
  context: EffectContext,
  madeAccounts: MadeAccounts = new Set(),
): Promise<readonly ScriptVerdict[]> {
  const active = effects.filter((effect) => effect.families.includes(context.family));
  const scripts: ScriptRun[] = [...context.scripts];
  const verdicts: ScriptVerdict[] = [];
  // scripts may activate triggers, whose scripts come last
  for (const script of scripts) {
    const { verdict, activated } = judgeScript(
      script,
      { ...context, scripts },
      active,
      madeAccounts.has(nameOf(script)),
    );
    verdicts.push(verdict);
    for (const name of activated) {
      const triggered = triggeredScript(name, context);
      const isKnown = scripts.some(
        (other) => other.package === triggered?.package && other.script === triggered.script,
      );
      if (triggered && !isKnown) scripts.push(triggered);
    }
  }
  for (const effect of active) await effect.apply({ ...context, scripts });
  return verdicts;
}
